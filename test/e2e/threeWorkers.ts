import { readFile } from "node:fs/promises";
import type { JoinReceipt } from "../../components";
import { ProcessWatch } from "./processWatch";
import { findLeaks } from "./secretLeaks";
import { TestLab } from "./testLab";

/** A pool of three workers, of which the lab has four. */
export const lab = new TestLab();
export const THREE = ["worker-1", "worker-2", "worker-3"];
export const FOUR = [...THREE, "worker-4"];

interface Outputs {
  apiServer: string;
  tokens: Record<string, { id: string; expires: string }>;
  receipts: Record<string, JoinReceipt>;
  bootstrapKubeconfigs: Record<string, string>;
  clusterInfo: string;
}

export const outputs = (...args: string[]): Promise<Outputs> => lab.json<Outputs>("output", ...args);

export const names = (step: string, worker: string) => `tls-bootstrap-${worker}-${step}`;

export const worker = (settings: Record<string, any>, name: string): any =>
  settings["tls-bootstrap:pools"][0].workers.find((candidate: { name: string }) => candidate.name === name);

let watch: ProcessWatch;
let fourth: unknown;
/** SSH logins of each worker before the file, since other files use the same lab. */
let earlier: Record<string, number>;

beforeAll(async () => {
  await lab.configure((settings) => {
    fourth = settings["tls-bootstrap:pools"][0].workers.pop();
  });
  earlier = await lab.allSessions(FOUR);
  watch = new ProcessWatch();
});

afterAll(async () => {
  watch?.stop();
  await lab.run("destroy"); // also after a failure, so that the next file finds bare workers
});

/** Adds the fourth worker to the pool. */
export const addFourth = (): Promise<void> =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.push(fourth);
  });

/** SSH logins of workers since the beginning of the file. */
export async function sessionsOf(workers: readonly string[]): Promise<Record<string, number>> {
  const all = Object.entries(await lab.allSessions(workers));
  return Object.fromEntries(all.map(([name, count]) => [name, count - earlier[name]]));
}

/** The secrets that a deployment handles, by name. The token is the latest one of the pool. */
export async function deploymentSecrets() {
  const { ssh, kubeconfig, passphraseFile } = await lab.facts();
  const { bootstrapKubeconfigs } = await outputs("--show-secrets");
  return {
    sshKey: (await readFile(ssh.privateKeyFile, "utf8")).split("\n")[2],
    adminKey: /client-key-data: (\S+)/.exec(await readFile(kubeconfig, "utf8"))![1].slice(0, 60),
    passphrase: (await readFile(passphraseFile, "utf8")).trim(),
    token: /token: (\S+)/.exec(bootstrapKubeconfigs.worker)![1].split(".")[1],
  };
}

/** Expects that the secrets were seen nowhere since the beginning of the file. */
export async function expectNoLeaks(secrets: Awaited<ReturnType<typeof deploymentSecrets>>): Promise<void> {
  // The command that asked for secrets is no leak.
  const unasked = (text: string) => !text.includes('"bootstrapKubeconfigs": {\n    "worker": "apiVersion');
  expect(await findLeaks(lab, secrets, watch.stop(), unasked)).toEqual([]);
}
