import releases from "../../../../components/kubelet/releases.json";
import { RIGHT_SETTINGS, WRONG_FIELDS, WRONG_PAIRS } from "../../../kubeletCases";
import { kubeletReport } from "./kubeletReport";

const report = (settings: object, version: unknown = releases.at(-1)) => kubeletReport(version, settings);
const ofPool = (kubelet: unknown, version?: unknown) => report({ pools: [{ workers: [{}, {}], kubelet }] }, version);

describe("a wrong field", () => {
  it.each(WRONG_FIELDS)("is refused: %j", (kubelet, expected) =>
    expect(ofPool(kubelet)).toEqual([`pools[0].kubelet${expected}`]),
  );
});

it.each(RIGHT_SETTINGS)("accepts %j", (kubelet) => expect(ofPool(kubelet)).toEqual([]));

describe("settings that depend on the Kubernetes version", () => {
  it.each<[string, Record<string, unknown>, string | undefined]>([
    ["1.35.4", { tlsCurvePreferences: [29] }, "needs Kubernetes 1.36 or newer; these kubelets are 1.35"],
    ["1.36.0", { tlsCurvePreferences: [29] }, undefined],
    ["1.36.0", { tlsCurvePreferences: [29, 4588, 29] }, "lists a curve twice"],
    ["1.36.0", { tlsCurvePreferences: [21] }, "'21' must be a curve of Go's crypto/tls"],
    [
      "1.33.1",
      { featureGates: { ContainerRestartRules: true } },
      "needs Kubernetes 1.34 or newer; these kubelets are 1.33",
    ],
    [
      "1.37.0",
      { featureGates: { AnyVolumeDataSource: true } },
      "was removed in Kubernetes 1.37; these kubelets are 1.37",
    ],
    ["1.36.1", { featureGates: { AnyVolumeDataSource: true } }, undefined],
    ["1.36.1", { memoryReservationPolicy: "Tiered" }, "must be one of None, TieredReservation"],
    ["1.36.1", { memoryReservationPolicy: "TieredReservation" }, "needs featureGates.MemoryQoS: true"],
    ["1.36.1", { memoryReservationPolicy: "TieredReservation", featureGates: { MemoryQoS: true } }, undefined],
    ["1.37.0", { memoryReservationPolicy: "TieredReservation" }, undefined],
    ["1.36.1", { memoryThrottlingFactor: 0.8 }, undefined],
    ["1.37.0", { memoryThrottlingFactor: 0.8 }, undefined],
    [
      "1.37.0",
      { memoryThrottlingFactor: 0.8, featureGates: { MemoryQoS: false } },
      "needs featureGates.MemoryQoS: true",
    ],
    ["1.37.0", { memoryThrottlingFactor: 0.9, featureGates: { MemoryQoS: false } }, undefined],
    ["1.37.0", { defaultPodSysctls: { "net.core.somaxconn": "1024" } }, "needs featureGates.DefaultPodSysctls: true"],
    [
      "1.37.0",
      { defaultPodSysctls: { "net.core.somaxconn": "1024" }, featureGates: { DefaultPodSysctls: true } },
      undefined,
    ],
    [
      "1.37.0",
      { defaultPodSysctls: { "vm.swappiness": "10" }, featureGates: { DefaultPodSysctls: true } },
      "is not a namespaced sysctl",
    ],
    [
      "1.37.0",
      { defaultPodSysctls: { "net/core/somaxconn": "1" }, featureGates: { DefaultPodSysctls: true } },
      "must be the name of a sysctl such as net.core.somaxconn",
    ],
    ["1.35.4", { cpuCFSQuotaPeriod: "10ms" }, "needs featureGates.CustomCPUCFSQuotaPeriod: true"],
    ["1.36.0", { cpuCFSQuotaPeriod: "10ms" }, undefined],
    [
      "1.35.4",
      { enableSystemLogQuery: true },
      "needs enableSystemLogHandler: true and featureGates.NodeLogQuery: true",
    ],
    ["1.36.0", { enableSystemLogQuery: true }, undefined],
    [
      "1.34.4",
      { crashLoopBackOff: { maxContainerRestartPeriod: "60s" } },
      "needs featureGates.KubeletCrashLoopBackOffMax: true",
    ],
    ["1.35.0", { crashLoopBackOff: { maxContainerRestartPeriod: "60s" } }, undefined],
    [
      "1.35.1",
      { featureGates: { GracefulNodeShutdown: false } },
      "the kubelet of Kubernetes 1.35 would not start with these feature gates: GracefulNodeShutdownBasedOnPodPriority, on by default, needs GracefulNodeShutdown, which is off; WindowsGracefulNodeShutdown, on by default, needs",
    ],
    ["1.34.4", { featureGates: { GracefulNodeShutdown: false } }, undefined],
    [
      "1.35.1",
      {
        featureGates: {
          GracefulNodeShutdown: false,
          GracefulNodeShutdownBasedOnPodPriority: false,
          WindowsGracefulNodeShutdown: false,
        },
      },
      undefined,
    ],
    [
      "1.35.1",
      { featureGates: { GangScheduling: true } },
      "gates: GangScheduling, on, needs GenericWorkload, which is off by default",
    ],
    ["1.35.1", { featureGates: { GangScheduling: true, GenericWorkload: true } }, undefined],
    ["1.35.1", { featureGates: { GangScheduling: true, AllAlpha: true } }, undefined],
    ["1.35.1", { featureGates: { AllAlpha: true, GangScheduling: true, GenericWorkload: false } }, "which is off"],
  ])("%s, %j", (version, kubelet, expected) =>
    expect(ofPool(kubelet, version)).toEqual(expected ? [expect.stringContaining(expected)] : []),
  );

  it("are not checked against an invalid version, but unknown fields are still found", () =>
    expect(ofPool({ singleProcessOOMKill: true, userNamespaces: {}, maxPod: 5 }, "latest")).toEqual([
      "pools[0].kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?",
    ]));
});

describe("workers with versions of their own", () => {
  const newField = { tlsCurvePreferences: [29] };
  const needs36 = "needs Kubernetes 1.36 or newer; these kubelets are 1.35";

  it("are checked with the version of the worker, then of its pool, then of all", () =>
    expect(
      report(
        {
          pools: [
            {
              kubernetesVersion: "1.36.3",
              workers: [{ kubelet: newField }, { kubelet: newField, kubernetesVersion: "1.35.4" }],
            },
            { workers: [{ kubelet: newField }, { kubelet: newField, kubernetesVersion: "1.37.2" }] },
          ],
        },
        "1.35.4",
      ),
    ).toEqual([
      `pools[0].workers[1].kubelet.tlsCurvePreferences: ${needs36}`,
      `pools[1].workers[0].kubelet.tlsCurvePreferences: ${needs36}`,
    ]));

  it("may use a field that only their version has, whatever the version of the others", () =>
    expect(
      report(
        { pools: [{ kubelet: newField, workers: [{ kubernetesVersion: "1.37.2" }] }, { workers: [{}] }] },
        "1.35.4",
      ),
    ).toEqual([]));

  it("get shared settings that fit their version: the problem names the key of the version", () =>
    expect(
      report({
        kubelet: newField,
        pools: [{ workers: [{}, { kubernetesVersion: "1.35.4" }] }, { kubernetesVersion: "1.34.4", workers: [{}] }],
      }),
    ).toEqual([`kubelet.tlsCurvePreferences: ${needs36} (with pools[0].workers[1].kubernetesVersion)`]));

  it("get shared settings that fit no version: the problem names no key of a version", () =>
    expect(
      report({ kubelet: { ...newField, maxPod: 1 }, pools: [{ kubernetesVersion: "1.35.4", workers: [{}] }] }),
    ).toEqual([
      `kubelet.tlsCurvePreferences: ${needs36}`,
      "kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?",
    ]));

  it("are checked for gates, flags and fields that do not fit together", () =>
    expect(
      report(
        {
          kubelet: { cpuCFSQuotaPeriod: "10ms" },
          pools: [
            {
              kubelet: { featureGates: { ContainerRestartRules: true } },
              kubeletFlags: { "pod-infra-container-image": "registry.k8s.io/pause:3.10.1" },
              workers: [{}, { kubernetesVersion: "1.33.13" }, { kubernetesVersion: "1.36.3" }],
            },
          ],
        },
        "1.34.4",
      ),
    ).toEqual([
      expect.stringMatching(
        /^pools\[0\]\.kubelet\.featureGates\.ContainerRestartRules: .*1\.33 \(with pools\[0\]\.workers\[1\]\.kubernetesVersion\)$/,
      ),
      expect.stringMatching(
        /^pools\[0\]\.kubeletFlags\["pod-infra-container-image"\]: was removed in Kubernetes 1\.35.*\(with pools\[0\]\.workers\[2\]\.kubernetesVersion\)$/,
      ),
      expect.stringMatching(
        /^kubelet\.cpuCFSQuotaPeriod: .*needs featureGates\.CustomCPUCFSQuotaPeriod: true \(with kubernetesVersion\)$/,
      ),
    ]));

  it("are checked without a version when theirs is invalid", () =>
    expect(
      report(
        { pools: [{ workers: [{ kubernetesVersion: "latest", kubelet: { ...newField, maxPod: 1 } }] }] },
        "1.35.4",
      ),
    ).toEqual([expect.stringContaining("pools[0].workers[0].kubelet.maxPod: is not a field")]));
});

describe("fields that do not fit together", () => {
  it.each(WRONG_PAIRS)("are refused: %j", (kubelet, field, expected) => {
    const [line, ...others] = ofPool(kubelet);
    expect(line).toContain(`pools[0].kubelet.${field}: `);
    expect(line).toContain(expected);
    expect(others).toEqual([]);
  });
});

describe("a problem is reported once, at the level that caused it", () => {
  const pools = (first: object, second: object) => [
    { kubelet: first, workers: [{}, {}] },
    { workers: [{ kubelet: second }, {}] },
  ];

  it("for a setting of all pools", () =>
    expect(report({ kubelet: { maxPod: 1, imageGCLowThresholdPercent: 90 }, pools: pools({}, {}) })).toEqual([
      "kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?",
    ]));

  it("for a pair of fields of all pools", () =>
    expect(report({ kubelet: { imageGCLowThresholdPercent: 90 }, pools: pools({}, {}) })).toEqual([
      expect.stringMatching(/^kubelet\.imageGCLowThresholdPercent: /),
    ]));

  it("for a pool and for a worker, each with the field that it adds", () =>
    expect(
      report({
        kubelet: { imageGCLowThresholdPercent: 60 },
        pools: pools({ imageGCHighThresholdPercent: 50 }, { imageGCHighThresholdPercent: 40 }),
      }),
    ).toEqual([
      expect.stringMatching(/^pools\[0\]\.kubelet\.imageGCHighThresholdPercent: .*\(50\).*\(60\)/),
      expect.stringMatching(/^pools\[1\]\.workers\[0\]\.kubelet\.imageGCHighThresholdPercent: .*\(40\).*\(60\)/),
    ]));

  it("not at all when the merged settings of every worker fit together", () =>
    expect(
      report({
        kubelet: { evictionSoft: { "memory.available": "1Gi" } },
        pools: pools({ evictionSoftGracePeriod: { "memory.available": "1m" } }, {}).slice(0, 1),
      }),
    ).toEqual([]));

  it("and malformed settings elsewhere cause no error", () => {
    for (const given of [{}, { pools: "x" }, { pools: [null, 5, { workers: "x" }, { kubelet: "x" }] }, { kubelet: [] }])
      expect(report(given)).toEqual([]);
  });
});
