import { existsSync } from "node:fs";
import { COMPONENTS } from "../control-plane/flags";
import { requireBinary } from "../kubernetes/binaries";
import { type Lab, requireWorker } from "../lab";
import { MIRROR } from "../mirror";
import { LabError } from "../system/errors";
import { interactive } from "../system/run";
import { ADMIN } from "../worker/files";
import { interactiveInWorker } from "../worker/worker";

/** Ways into a lab. Each hands the terminal over and returns the exit status. */

export async function kubectl(lab: Lab, args: readonly string[]): Promise<number> {
  const program = await requireBinary("kubectl", lab.settings.kubernetesVersion);
  return interactive(program, ["--kubeconfig", lab.paths.kubeconfig, ...args]);
}

export async function ssh(lab: Lab, name: string, args: readonly string[]): Promise<number> {
  const worker = requireWorker(lab, name);
  const options = {
    UserKnownHostsFile: lab.paths.knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    IdentityFile: lab.paths.sshKey,
    ConnectTimeout: "10",
  };
  // Nothing of the user's own SSH settings: -F none.
  const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return interactive("ssh", ["-F", "none", ...flags, `${ADMIN}@${worker.network.address}`, ...args]);
}

export async function exec(lab: Lab, name: string, argv: readonly string[]): Promise<number> {
  return interactiveInWorker(requireWorker(lab, name), argv.length > 0 ? argv : ["bash", "-l"]);
}

export async function logs(lab: Lab, component: string, options: { lines: string; follow?: boolean }): Promise<number> {
  const known = [...COMPONENTS, MIRROR, ...lab.workers.map((worker) => worker.name)];
  if (!known.includes(component)) {
    throw new LabError(`the lab has no part "${component}"`, `It has ${known.join(", ")}.`);
  }
  const file = lab.paths.logFile(component);
  if (!existsSync(file)) {
    throw new LabError(`${component} has not written a log yet`);
  }
  return interactive("tail", ["-n", options.lines, ...(options.follow ? ["--follow=name"] : []), file]);
}
