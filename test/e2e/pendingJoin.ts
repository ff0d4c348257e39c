import type { OperationResult } from "../../lab/pulumi/events";
import { eventually, type TestLab } from "./testLab";

export const BOOTSTRAP_KUBECONFIG = "/etc/kubernetes/bootstrap-kubelet.conf";

/** A join that waits for its certificate in vain, until it ends: the errors, each with the resource that it stands under. */
export async function joining(lab: TestLab, worker: string): Promise<{ end: () => Promise<string[]> }> {
  await lab.out("stop", "kube-controller-manager");
  const failing = lab.run("--json", "deploy");
  await eventually(async () => {
    expect(await lab.exec(worker, "ls", BOOTSTRAP_KUBECONFIG)).toBeTruthy();
    expect((await lab.exec(worker, "systemctl", "is-active", "kubelet")).trim()).toBe("active");
  }, 120);
  return {
    end: async () => {
      const { stdout } = await failing;
      await lab.out("start", "kube-controller-manager");
      const { diagnostics } = JSON.parse(stdout) as OperationResult;
      return diagnostics.flatMap(({ severity, urn, message }) =>
        severity === "error" && urn ? [`${urn.split("::").at(-1)}: ${message}`] : [],
      );
    },
  };
}
