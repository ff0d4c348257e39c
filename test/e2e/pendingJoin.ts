import type { OperationResult } from "../../lab/pulumi/events";
import { eventually, type TestLab } from "./testLab";

export const BOOTSTRAP_KUBECONFIG = "/run/tls-bootstrap/bootstrap-kubelet.conf";

/**
 * Starts a deployment whose join waits for a certificate that nobody signs.
 * @returns `end`, which waits for the end of the deployment and returns its errors, each with its resource
 */
export async function startPendingJoin(lab: TestLab, worker: string): Promise<{ end: () => Promise<string[]> }> {
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
