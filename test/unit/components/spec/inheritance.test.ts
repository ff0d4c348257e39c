import { resolveBootstrap, resolvePool, resolveWorker } from "../../../../components/spec/resolve";
import type { PoolSpec, WorkerSpec } from "../../../../components";
import { CA, SSH_KEY } from "../../fixtures";
import { worker as fleetWorker } from "../../settings/fleetSettings";

/** What a worker has: its own settings, its pool's, or those for all. */

const shared = {
  cluster: { server: "https://10.0.0.1:6443", ca: CA },
  kubernetesVersion: "1.35.4",
  ssh: { privateKey: SSH_KEY },
};

const worker = (number: number, settings: Partial<WorkerSpec> = {}): WorkerSpec => ({
  ...fleetWorker(number),
  ...settings,
});

/** The workers of all pools. */
const resolved = (pools: PoolSpec[], settings: object = {}) =>
  resolveBootstrap("TlsBootstrap 't'", { ...shared, ...settings, pools }).pools.flatMap(({ workers }) => workers);

describe("kubernetesVersion", () => {
  const pools = [
    { name: "a", workers: [worker(1), worker(2, { kubernetesVersion: "1.33.13" })] },
    {
      name: "b",
      kubernetesVersion: "1.34.4",
      workers: [worker(3), worker(4, { kubernetesVersion: "1.36.3" })],
    },
  ];

  it("is the worker's, or its pool's, or the one for all", () => {
    expect(resolved(pools).map(({ kubernetesVersion }) => kubernetesVersion)).toEqual([
      "1.35.4",
      "1.33.13",
      "1.34.4",
      "1.36.3",
    ]);
    const { kubernetesVersion } = resolveBootstrap("TlsBootstrap 't'", { ...shared, pools });
    expect(kubernetesVersion).toBe("1.35.4");
  });

  it("of a pool by itself is its own, and a worker can have another", () => {
    const { kubernetesVersion, workers } = resolvePool("WorkerPool 'p'", {
      ...shared,
      name: "p",
      workers: [worker(1), worker(2, { kubernetesVersion: "1.34.4" })],
    });
    expect([kubernetesVersion, ...workers.map((own) => own.kubernetesVersion)]).toEqual(["1.35.4", "1.35.4", "1.34.4"]);
  });

  it("of a worker by itself is its own", () =>
    expect(resolveWorker("Worker 'w'", { ...shared, ...worker(1), kubernetesVersion: "1.36.3" })).toMatchObject({
      kubernetesVersion: "1.36.3",
    }));

  it("is checked in a pool by itself, at the key of its argument", () =>
    expect(() =>
      resolvePool("WorkerPool 'p'", {
        ...shared,
        kubelet: { tlsCurvePreferences: [29] },
        name: "p",
        kubernetesVersion: "1.36.3",
        workers: [worker(1), worker(2, { kubernetesVersion: "1.35.4" })],
      }),
    ).toThrow(
      "WorkerPool 'p': 1 problem\n  kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.35 (with workers[1].kubernetesVersion)",
    ));
});

describe("the version of the API servers", () => {
  const cluster = { ...shared.cluster, kubernetesVersion: "1.34.4" };
  const problem = "is newer than the API servers' 1.34.4 (cluster.kubernetesVersion): upgrade the API servers first";

  it("is checked for all pools", () =>
    expect(() => resolved([{ name: "a", workers: [worker(1)] }], { cluster })).toThrow(
      `TlsBootstrap 't': 1 problem\n  kubernetesVersion: '1.35.4' ${problem}`,
    ));

  it("is checked for a pool by itself", () =>
    expect(() =>
      resolvePool("WorkerPool 'p'", {
        ...{ ...shared, cluster, name: "p", kubernetesVersion: "1.34.4" },
        workers: [worker(1), worker(2, { kubernetesVersion: "1.35.4" })],
      }),
    ).toThrow(`WorkerPool 'p': 1 problem\n  workers[1].kubernetesVersion: '1.35.4' ${problem}`));

  it("is checked for a worker by itself", () =>
    expect(() =>
      resolveWorker("Worker 'w'", { ...shared, cluster, ...worker(1), kubernetesVersion: "1.36.3" }),
    ).toThrow(`Worker 'w': 1 problem\n  kubernetesVersion: '1.36.3' ${problem}`));

  it("must be a version", () =>
    expect(() =>
      resolved([{ name: "a", workers: [worker(1)] }], { cluster: { ...cluster, kubernetesVersion: "1.34" } }),
    ).toThrow("TlsBootstrap 't': 1 problem\n  cluster.kubernetesVersion: '1.34' is not a version such as 1.37.2"));
});

it("a worker is lost only when it says so", () => {
  const pools = [{ name: "a", workers: [worker(1), worker(2, { lost: true })] }];
  expect(resolved(pools).map(({ lost }) => lost)).toEqual([false, true]);
  expect(resolveWorker("Worker 'w'", { ...shared, ...worker(1), lost: true }).lost).toBe(true);
});
