import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { podOn } from "./pods";
import { eventually, TestLab } from "./testLab";

/** A lab whose API server verifies two kubelets by their serving certificates. */
export const lab = new TestLab();
export const TWO = ["worker-1", "worker-2"];

/** The file from which the API server reads the CA of kubelets. */
const caFile = async () => join((await lab.facts()).stateDir, "kubelet-ca.crt");

/** Makes the API server verify kubelets with a CA. */
export async function trust(ca: string): Promise<void> {
  await writeFile(await caFile(), ca);
  await lab.out("restart", "kube-apiserver");
}

export const servingCa = async () => (await lab.json<{ servingCa: string }>("output")).servingCa;
export const clusterCa = async () => readFile(join((await lab.facts()).stateDir, "pki", "ca.crt"), "utf8");

export async function startPods(...nodes: string[]): Promise<void> {
  await lab.apply({ apiVersion: "v1", kind: "List", items: nodes.map((node) => podOn(node)) });
  const names = nodes.map((node) => `on-${node}`);
  await lab.kubectl("wait", "pod", ...names, "--for=condition=Ready", "--timeout=180s");
}

/** Expects that logs and exec work. An API server that verifies kubelets serves them from verified kubelets only. */
export async function expectLogsAndExec(...nodes: string[]): Promise<void> {
  await startPods(...nodes);
  for (const node of nodes) {
    await eventually(async () => expect(await lab.kubectl("logs", `on-${node}`)).toBe("a line\n"), 90);
    expect(await lab.kubectl("exec", `on-${node}`, "--", "echo", "done")).toBe("done\n");
  }
}

export async function bringUpVerifyingApiServer(): Promise<void> {
  await writeFile(await caFile(), await clusterCa());
  await lab.out("up", "--flag", `kube-apiserver=--kubelet-certificate-authority=${await caFile()}`);
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(2);
    settings["tls-bootstrap:drain"] = { barePods: "delete" };
  });
}

export const removeVerifyingApiServer = (): Promise<string> => lab.out("up", "--reset-flags");
