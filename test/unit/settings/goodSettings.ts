import { renderKubeconfig } from "../../../components/cluster/kubeconfig";
import { parseSettings } from "../../../settings/settings";
import { CA, ED25519, SSH_KEY } from "../fixtures";
import { storedConfig } from "./storedConfig";

export const KUBECONFIG = renderKubeconfig({ server: "https://10.0.0.1:6443", ca: CA }, "admin", { token: "t" });

/** Settings without a problem. */
export const good = {
  cluster: { kubeconfig: KUBECONFIG },
  kubernetesVersion: "1.34.4",
  ssh: { user: "debian", privateKey: SSH_KEY },
  pools: [{ name: "worker", workers: [{ name: "worker-1", address: "10.0.1.11", hostKey: ED25519 }] }],
};

export const settings = (change: Record<string, unknown> = {}) =>
  parseSettings("tls-bootstrap", storedConfig({ ...good, ...change }));

/** The lines of the report. */
export const report = (change: Record<string, unknown>): string[] => {
  try {
    settings(change);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
};

/** A change of the only worker. */
export const worker = (change: Record<string, unknown>) => ({
  pools: [{ name: "worker", workers: [{ ...good.pools[0].workers[0], ...change }] }],
});

/** What is wrong, the change of the settings, and a part of each line of the report. */
type Refusal = [what: string, change: Record<string, unknown>, problems: string[]];

export function describeRefusals(subject: string, refusals: Refusal[]): void {
  describe(subject, () => {
    it.each(refusals)("refuses %s at its config key, and reports nothing else", (_, change, problems) => {
      const [first, ...lines] = report(change);
      expect(first).toBe(
        `The configuration of this stack cannot be used: ${problems.length === 1 ? "1 problem" : `${problems.length} problems`}`,
      );
      expect(lines).toEqual(problems.map((line) => expect.stringContaining(`  ${line}`) as unknown));
    });
  });
}
