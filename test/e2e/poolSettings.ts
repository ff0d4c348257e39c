import type { TestLab } from "./testLab";

/** Changes of a stack's only pool, for tests that add, change and remove its workers. */
export class PoolSettings {
  #workers: any[] = [];

  constructor(readonly lab: TestLab) {}

  /** Remembers the workers of the settings. */
  remember = (): Promise<void> =>
    this.lab.configure((settings) => {
      this.#workers = settings["tls-bootstrap:pools"][0].workers;
    });

  /** Configures these workers, each with its changes, and other settings. */
  configure = (members: Record<string, object>, more: Record<string, unknown> = {}): Promise<void> =>
    this.lab.configure((settings) => {
      settings["tls-bootstrap:pools"][0].workers = Object.entries(members).map(([name, change]) => ({
        ...this.#workers.find((worker) => worker.name === name),
        ...change,
      }));
      for (const [key, value] of Object.entries(more)) settings[`tls-bootstrap:${key}`] = value;
    });

  /** Binds a ClusterRole of the stack to a group. */
  bind = (name: string, group: string): Promise<string> =>
    this.lab.kubectl(
      "patch",
      "clusterrolebinding",
      `tls-bootstrap-lab:${name}`,
      "--type",
      "merge",
      "-p",
      JSON.stringify({ subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group }] }),
    );
}
