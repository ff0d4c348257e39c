import * as pulumi from "@pulumi/pulumi";
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

  it("is not checked while it is not known", () => {
    const later = { ...cluster, kubernetesVersion: pulumi.output("1.34.4") };
    expect(resolved([{ name: "a", workers: [worker(1)] }], { cluster: later })).toHaveLength(1);
  });

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

describe("drain", () => {
  const defaults = { timeoutSeconds: 300, barePods: "refuse", emptyDirData: "refuse" };
  const pools: PoolSpec[] = [
    { name: "a", workers: [worker(1)] },
    { name: "b", drain: { timeoutSeconds: 60, barePods: undefined }, workers: [worker(2)] },
    { name: "c", drain: { barePods: "refuse", emptyDirData: "refuse" }, workers: [worker(3)] },
  ];

  it("has its defaults", () =>
    expect(resolved(pools).map(({ drain }) => drain)).toEqual([
      defaults,
      { ...defaults, timeoutSeconds: 60 },
      defaults,
    ]));

  it("is overridden by a pool field by field", () => {
    const all = { timeoutSeconds: 600, barePods: "delete", emptyDirData: "delete" };
    expect(resolved(pools, { drain: all }).map(({ drain }) => drain)).toEqual([
      all,
      { ...all, timeoutSeconds: 60 },
      { ...defaults, timeoutSeconds: 600 },
    ]);
  });

  it("can be set for a pool or a worker by itself", () => {
    const own = { drain: { barePods: "delete" } } as const;
    const pool = resolvePool("WorkerPool 'p'", { ...shared, ...own, name: "p", workers: [worker(1)] });
    expect(pool.workers[0].drain).toEqual({ ...defaults, barePods: "delete" });
    expect(resolveWorker("Worker 'w'", { ...shared, ...own, ...worker(1) }).drain).toEqual({
      ...defaults,
      barePods: "delete",
    });
  });
});

describe("SSH", () => {
  const bastion = { host: "10.0.0.1", hostKey: worker(9).hostKey as string };
  const all = {
    user: "admin",
    port: 22,
    privateKey: shared.ssh.privateKey,
    privateKeyPassword: undefined,
    agent: false,
    bastion: { ...bastion, user: "root", port: 22 },
  };

  it("is overridden by a pool field by field, and a bastion as a whole", () => {
    const pools: PoolSpec[] = [
      { name: "a", workers: [worker(1)] },
      { name: "b", ssh: { user: "core", port: 2222 }, workers: [worker(2)] },
      { name: "d", ssh: { agent: true }, workers: [worker(4)] },
      { name: "e", ssh: { agent: false }, workers: [worker(5)] },
      { name: "c", ssh: { bastion: { ...bastion, host: "10.0.0.2" } }, workers: [worker(3)] },
    ];
    expect(resolved(pools, { ssh: { ...all, bastion: { ...bastion, port: 22 } } }).map(({ ssh }) => ssh)).toEqual([
      all,
      { ...all, user: "core", port: 2222 },
      { ...all, privateKey: undefined, agent: true },
      all,
      { ...all, bastion: { ...all.bastion, host: "10.0.0.2" } },
    ]);
  });
});

describe("rollout", () => {
  /** The rollout of a pool of that many workers and one lost worker. */
  const rolloutOf = (workers: number, rollout?: PoolSpec["rollout"]) =>
    resolvePool("WorkerPool 'p'", {
      ...{ ...shared, name: "p", rollout },
      workers: Array.from({ length: workers + 1 }, (_, i) => worker(i + 1, { lost: i === 0 })),
    }).rollout;

  it("is off without the setting", () => expect(rolloutOf(3)).toBeUndefined());

  it("changes one worker after the other by default", () =>
    expect(rolloutOf(3, {})).toEqual({ canary: 0, maxUnavailable: 1, pauseSeconds: 0 }));

  it.each<[number, number | string, number]>([
    [3, 5, 5],
    [8, "25%", 2],
    [7, "25%", 1],
    [3, "25%", 1],
    [0, "25%", 1],
    [3, "100%", 3],
  ])("in a pool of %d workers, %s are %d", (workers, maxUnavailable, expected) =>
    expect(rolloutOf(workers, { canary: 1, maxUnavailable, pauseSeconds: 60 })).toEqual({
      ...{ canary: 1, pauseSeconds: 60 },
      maxUnavailable: expected,
    }),
  );

  it("is that of each pool", () => {
    const { pools } = resolveBootstrap("TlsBootstrap 't'", {
      ...shared,
      pools: [
        { name: "a", rollout: { canary: 1 }, workers: [worker(1)] },
        { name: "b", workers: [worker(2)] },
      ],
    });
    expect(pools.map(({ rollout }) => rollout?.canary)).toEqual([1, undefined]);
  });
});
