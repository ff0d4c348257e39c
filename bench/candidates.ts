/** What a user may pick to join workers. All candidates join the same workers to the same cluster. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchLab } from "./benchLab";

export const CANDIDATES = ["module", "pulumi", "kubeadm", "ansible", "shell"] as const;
export type Candidate = (typeof CANDIDATES)[number];

/** Joins workers that were reset for the candidate. Returns when its command began and ended, in milliseconds since 1970. */
export async function joinWith(candidate: Candidate, lab: BenchLab, workers: string[]): Promise<[number, number]> {
  switch (candidate) {
    case "module":
      return lab.pulumi("up");
    case "pulumi":
      await lab.declareLeast(workers);
      return lab.pulumiLeast("up");
    case "ansible":
      return runPlaybook(lab, workers);
    case "kubeadm":
    case "shell":
      return lab.time("sh", [lab.program(`${candidate}.sh`), lab.sshConfig, lab.folder, ...workers]);
  }
}

/** Takes the workers out of the cluster again, and wipes what a candidate has left on them. */
export async function undo(candidate: Candidate, lab: BenchLab, workers: string[]): Promise<void> {
  if (candidate === "module") await lab.pulumi("destroy");
  if (candidate === "pulumi") await lab.pulumiLeast("destroy");
  await lab.onHosts(workers, "reset", "none", lab.version);
  await lab.lab.kubectl("delete", "node", "--ignore-not-found", ...workers);
}

/** A fork for each worker, pipelining, no facts. Connections of an earlier run are not used. */
async function runPlaybook(lab: BenchLab, workers: string[]): Promise<[number, number]> {
  const inventory = join(lab.folder, "inventory");
  const variables = {
    ansible_python_interpreter: "/usr/bin/python3",
    ansible_ssh_common_args: `"-F ${lab.sshConfig}"`,
    folder: lab.folder,
    kubectl: lab.kubectl,
    kubeconfig: lab.kubeconfig,
  };
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  await writeFile(inventory, ["[workers]", ...workers, "[workers:vars]", ...lines, ""].join("\n"));
  const env = {
    ...process.env,
    LC_ALL: "C.UTF-8",
    ANSIBLE_FORKS: String(workers.length),
    ANSIBLE_PIPELINING: "true",
    ANSIBLE_SSH_CONTROL_PATH_DIR: await mkdtemp(join(tmpdir(), "bench-ansible-")),
  };
  return lab.time("ansible-playbook", ["--inventory", inventory, lab.program("playbook.yaml")], env);
}
