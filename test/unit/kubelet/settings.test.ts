import { kubeletChecks } from "../../../components/kubelet/levels";

/** `where: value what` of each problem, as a report has it. */
const report = (given: object, version: unknown = "1.34.4") =>
  kubeletChecks(version, given).flatMap(([where, problem, value]) =>
    problem ? [`${where}: ${value === undefined ? "" : `'${value}' `}${problem}`] : [],
  );
const ofPool = (kubelet: unknown, version?: unknown) => report({ pools: [{ workers: [{}, {}], kubelet }] }, version);

describe("a field by itself", () => {
  it.each<[Record<string, unknown>, string]>([
    // Names.
    [{ maxPod: 50 }, ".maxPod: is not a field of KubeletConfiguration; did you mean maxPods?"],
    [{ MaxPods: 50 }, ".MaxPods: is not a field of KubeletConfiguration; did you mean maxPods?"],
    [{ kubeReserve: {} }, ".kubeReserve: is not a field of KubeletConfiguration; did you mean kubeReserved?"],
    [{ flavour: "x" }, ".flavour: is not a field of KubeletConfiguration"],
    [{ constructor: "x" }, ".constructor: is not a field of KubeletConfiguration"],
    [
      { authentication: { anonymus: { enabled: false } } },
      ".authentication.anonymus: is not a field of KubeletConfiguration; did you mean anonymous?",
    ],
    [
      { logging: { options: { json: { splitstream: true } } } },
      ".logging.options.json.splitstream: is not a field of KubeletConfiguration; did you mean splitStream?",
    ],
    [{ "max pods": 1 }, '["max pods"]: is not a field of KubeletConfiguration; did you mean maxPods?'],
    // Types.
    [{ maxPods: "fifty" }, ".maxPods: 'fifty' must be a whole number"],
    [{ maxPods: 1.5 }, ".maxPods: '1.5' must be a whole number"],
    [{ maxPods: 2 ** 31 }, ".maxPods: '2147483648' must be between -2147483648 and 2147483647"],
    [{ maxPods: null }, ".maxPods: has no value; leave it out to get the default"],
    [{ authentication: null }, ".authentication: has no value; leave it out to get the default"],
    [{ failSwapOn: "false" }, ".failSwapOn: 'false' must be true or false"],
    [{ clusterDNS: "10.96.0.10" }, ".clusterDNS: '10.96.0.10' must be a list"],
    [{ clusterDNS: [10] }, ".clusterDNS[0]: '10' must be text: write \"10\" in quotes"],
    [{ systemReserved: { pid: 1000 } }, ".systemReserved.pid: '1000' must be text: write \"1000\" in quotes"],
    [{ evictionHard: ["memory.available<100Mi"] }, ".evictionHard: '[\"memory.available<100Mi\"]' must be a map"],
    [{ logging: "json" }, ".logging: 'json' must be a map of fields"],
    [{ memoryThrottlingFactor: "0.9" }, ".memoryThrottlingFactor: '0.9' must be a number"],
    [{ syncFrequency: 60 }, ".syncFrequency: '60' must be a duration such as 30s or 1m30s, with a unit"],
    [{ syncFrequency: "60" }, ".syncFrequency: '60' must be a duration such as 30s or 1m30s, with a unit"],
    [{ syncFrequency: "1d" }, ".syncFrequency: '1d' must be a duration such as 30s or 1m30s, with a unit"],
    [
      { reservedMemory: [{ numaNode: 0, limits: { memory: "1GB" } }] },
      ".reservedMemory[0].limits.memory: '1GB' must be a quantity such as 512Mi or 200m",
    ],
    [
      { configMapAndSecretChangeDetectionStrategy: "watch" },
      ".configMapAndSecretChangeDetectionStrategy: 'watch' must be one of Cache, Get, Watch",
    ],
    // Values.
    [{ port: 0 }, ".port: '0' must be between 1 and 65535"],
    [{ healthzPort: 70000 }, ".healthzPort: '70000' must be between 0 and 65535"],
    [{ maxPods: 0 }, ".maxPods: '0' must be 1 or more"],
    [{ imageGCHighThresholdPercent: 101 }, ".imageGCHighThresholdPercent: '101' must be between 0 and 100"],
    [{ oomScoreAdj: -2000 }, ".oomScoreAdj: '-2000' must be between -1000 and 1000"],
    [{ nodeStatusUpdateFrequency: "0s" }, ".nodeStatusUpdateFrequency: '0s' must be longer than 0"],
    [{ nodeStatusUpdateFrequency: "-1s" }, ".nodeStatusUpdateFrequency: '-1s' must be longer than 0"],
    [{ shutdownGracePeriod: "500ms" }, ".shutdownGracePeriod: '500ms' must be 0s, or 1s or more"],
    [{ containerLogMaxSize: "10MB" }, ".containerLogMaxSize: '10MB' must be a quantity such as 10Mi"],
    [{ containerLogMaxFiles: 1 }, ".containerLogMaxFiles: '1' must be 2 or more"],
    [{ podLogsDir: "logs" }, ".podLogsDir: 'logs' must be an absolute path, without '..'"],
    [{ clusterDNS: ["10.96.0"] }, ".clusterDNS[0]: '10.96.0' must be an IP address"],
    [{ reservedSystemCPUs: "0-" }, ".reservedSystemCPUs: '0-' must be a list of CPUs such as 0-1,4"],
    [
      { topologyManagerPolicy: "best" },
      ".topologyManagerPolicy: 'best' must be one of none, best-effort, restricted, single-numa-node",
    ],
    [
      { memorySwap: { swapBehavior: "UnlimitedSwap" } },
      ".memorySwap.swapBehavior: 'UnlimitedSwap' must be one of NoSwap, LimitedSwap",
    ],
    [
      { tlsCipherSuites: ["TLS_RSA_WITH_RC4_128_SHA"] },
      ".tlsCipherSuites[0]: 'TLS_RSA_WITH_RC4_128_SHA' is not the name of a secure cipher suite of Go's crypto/tls",
    ],
    [
      { evictionHard: { "memory.avail": "100Mi" } },
      '.evictionHard["memory.avail"]: must be one of memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree, pid.available',
    ],
    [
      { evictionHard: { "memory.available": "100MB" } },
      ".evictionHard[\"memory.available\"]: '100MB' must be a quantity such as 100Mi or a percentage such as 10%, above 0",
    ],
    [
      { evictionHard: { "nodefs.available": "101%" } },
      ".evictionHard[\"nodefs.available\"]: '101%' must be 100% or less",
    ],
    [{ kubeReserved: { disk: "1Gi" } }, ".kubeReserved.disk: must be one of cpu, memory, ephemeral-storage, pid"],
    [
      { kubeReserved: { memory: "1GB" } },
      ".kubeReserved.memory: '1GB' must be a quantity such as 200m or 512Mi, not below 0",
    ],
    // Feature gates.
    [
      { featureGates: { NodeSwop: true } },
      ".featureGates.NodeSwop: is not a feature gate of kubelets, which would not start; did you mean NodeSwap?",
    ],
    [{ featureGates: { NodeSwap: "true" } }, ".featureGates.NodeSwap: 'true' must be true or false"],
    [
      { featureGates: { AnyVolumeDataSource: false } },
      ".featureGates.AnyVolumeDataSource: is locked to true since Kubernetes 1.33: kubelets would not start with false",
    ],
    // Fields that make no sense here.
    [
      { registerNode: false },
      ".registerNode: 'false' cannot be used: the Node would lack the labels that kubelets give it: kubernetes.io/hostname, os and arch",
    ],
    [
      { registerWithTaints: [] },
      ".registerWithTaints: '[]' cannot be used: kubelets give taints to a Node that they make, and this one is declared before; use 'taints'",
    ],
    [
      { runOnce: true },
      ".runOnce: 'true' cannot be used: a kubelet that ends when its pods have started makes no node",
    ],
    [
      { rotateCertificates: false },
      ".rotateCertificates: cannot be false: without it the node drops out of the cluster when its first certificate ends",
    ],
  ])("%j", (kubelet, expected) => expect(ofPool(kubelet)).toEqual([`pools[0].kubelet${expected}`]));

  it.each<[Record<string, unknown>]>([
    [{ maxPods: 50, featureGates: { NodeSwap: true, AllAlpha: false }, memorySwap: { swapBehavior: "LimitedSwap" } }],
    [{ systemReserved: { cpu: "200m", memory: "512Mi", "ephemeral-storage": "1Gi", pid: "1000" } }],
    [{ evictionHard: { "memory.available": "5%", "nodefs.inodesFree": "0%", "pid.available": "100" } }],
    [{ logging: { format: "json", verbosity: 4, flushFrequency: "5s" } }],
    [{ logging: { flushFrequency: 5_000_000_000, vmodule: [{ filePattern: "kubelet*", verbosity: 6 }] } }],
    [{ tracing: { endpoint: "localhost:4317", samplingRatePerMillion: 100 } }],
    [{ reservedMemory: [{ numaNode: 0, limits: { memory: "1Gi", "hugepages-2Mi": "64Mi" } }] }],
    [{ podPidsLimit: -1, streamingConnectionIdleTimeout: "5m0s", registerNode: true, runOnce: false }],
    [{ tlsCipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] }],
  ])("is accepted: %j", (kubelet) => expect(ofPool(kubelet)).toEqual([]));
});

describe("the version of the kubelets", () => {
  it.each<[string, Record<string, unknown>, string | undefined]>([
    ["1.31.4", { singleProcessOOMKill: true }, "needs Kubernetes 1.32 or newer; these kubelets are 1.31"],
    ["1.32.0", { singleProcessOOMKill: true }, undefined],
    ["1.30.14", { failCgroupV1: false }, "needs Kubernetes 1.31 or newer; these kubelets are 1.30"],
    ["1.31.0", { failCgroupV1: false }, undefined],
    ["1.32.1", { userNamespaces: { idsPerPod: 65536 } }, "needs Kubernetes 1.33 or newer; these kubelets are 1.32"],
    [
      "1.30.1",
      { featureGates: { ContainerRestartRules: true } },
      "needs Kubernetes 1.34 or newer; these kubelets are 1.30",
    ],
    ["1.33.1", { featureGates: { AppArmor: true } }, "was removed in Kubernetes 1.33; these kubelets are 1.33"],
    ["1.32.1", { featureGates: { AppArmor: true } }, undefined],
    ["1.32.1", { featureGates: { AnyVolumeDataSource: false } }, undefined],
    [
      "1.31.1",
      { enforceNodeAllocatable: ["kube-reserved-compressible"] },
      "must be one of none, pods, system-reserved, kube-reserved",
    ],
    [
      "1.34.4",
      { crashLoopBackOff: { maxContainerRestartPeriod: "60s" } },
      "needs featureGates.KubeletCrashLoopBackOffMax: true",
    ],
    ["1.35.0", { crashLoopBackOff: { maxContainerRestartPeriod: "60s" } }, undefined],
  ])("%s, %j", (version, kubelet, expected) =>
    expect(ofPool(kubelet, version)).toEqual(expected ? [expect.stringContaining(expected)] : []),
  );

  it("that is itself wrong is reported elsewhere; what no version has is still found", () =>
    expect(ofPool({ singleProcessOOMKill: true, userNamespaces: {}, maxPod: 5 }, "latest")).toEqual([
      "pools[0].kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?",
    ]));
});

describe("fields that do not fit together", () => {
  it.each<[Record<string, unknown>, string, string]>([
    [
      { imageGCHighThresholdPercent: 70 },
      "imageGCHighThresholdPercent",
      "(70) must be above imageGCLowThresholdPercent (80)",
    ],
    [
      { imageGCLowThresholdPercent: 85 },
      "imageGCLowThresholdPercent",
      "(85) must be above imageGCLowThresholdPercent (85)",
    ],
    [{ imageMaximumGCAge: "1m" }, "imageMaximumGCAge", "must be longer than imageMinimumGCAge (2m"],
    [
      { evictionSoft: { "memory.available": "1Gi" } },
      "evictionSoft",
      "evictionSoftGracePeriod is needed for memory.available",
    ],
    [
      { shutdownGracePeriodCriticalPods: "10s" },
      "shutdownGracePeriodCriticalPods",
      "is a part of shutdownGracePeriod (0s)",
    ],
    [{ maxParallelImagePulls: 5 }, "maxParallelImagePulls", "needs serializeImagePulls: false"],
    [{ systemCgroups: "/system" }, "systemCgroups", "needs cgroupRoot"],
    [{ cgroupsPerQOS: false }, "cgroupsPerQOS", "enforceNodeAllocatable needs cgroupsPerQOS: true"],
    [{ enforceNodeAllocatable: ["pods", "system-reserved"] }, "enforceNodeAllocatable", "needs systemReservedCgroup"],
    [{ enforceNodeAllocatable: ["none", "pods"] }, "enforceNodeAllocatable", "is none and more"],
    [{ enforceNodeAllocatable: ["pods", "pods"] }, "enforceNodeAllocatable", "names something twice"],
    [{ reservedSystemCPUs: "0", kubeReservedCgroup: "/kube" }, "reservedSystemCPUs", "cannot be set together"],
    [
      { enableSystemLogQuery: true },
      "enableSystemLogQuery",
      "needs enableSystemLogHandler: true and featureGates.NodeLogQuery: true",
    ],
    [{ cpuCFSQuotaPeriod: "10ms" }, "cpuCFSQuotaPeriod", "needs featureGates.CustomCPUCFSQuotaPeriod: true"],
    [
      { imagePullCredentialsVerificationPolicy: "AlwaysVerify" },
      "imagePullCredentialsVerificationPolicy",
      "needs featureGates.KubeletEnsureSecretPulledImages: true",
    ],
    [
      { logging: { format: "json", vmodule: [{ filePattern: "a", verbosity: 1 }] } },
      "logging",
      "logging.vmodule needs logging.format: text",
    ],
    [
      {
        shutdownGracePeriod: "30s",
        shutdownGracePeriodByPodPriority: [{ priority: 1, shutdownGracePeriodSeconds: 5 }],
      },
      "shutdownGracePeriodByPodPriority",
      "cannot be set together",
    ],
  ])("%j", (kubelet, field, expected) => {
    const [line, ...others] = ofPool(kubelet);
    expect(line).toContain(`pools[0].kubelet.${field}: `);
    expect(line).toContain(expected);
    expect(others).toEqual([]);
  });

  it.each<[Record<string, unknown>]>([
    [{ imageGCHighThresholdPercent: 100 }],
    [{ imageGCHighThresholdPercent: 60, imageGCLowThresholdPercent: 50 }],
    [{ evictionSoft: { "memory.available": "1Gi" }, evictionSoftGracePeriod: { "memory.available": "1m" } }],
    [{ shutdownGracePeriod: "30s", shutdownGracePeriodCriticalPods: "10s" }],
    [{ maxParallelImagePulls: 5, serializeImagePulls: false }],
    [{ cgroupsPerQOS: false, enforceNodeAllocatable: ["none"] }],
    [{ cpuCFSQuotaPeriod: "10ms", featureGates: { CustomCPUCFSQuotaPeriod: true } }],
  ])("do fit: %j", (kubelet) => expect(ofPool(kubelet)).toEqual([]));
});

describe("a problem is reported once, at the level that made it", () => {
  const pools = (first: object, second: object) => [
    { kubelet: first, workers: [{}, {}] },
    { workers: [{ kubelet: second }, {}] },
  ];

  it("of all pools", () =>
    expect(report({ kubelet: { maxPod: 1, imageGCLowThresholdPercent: 90 }, pools: pools({}, {}) })).toEqual([
      "kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?",
    ]));

  it("of all pools, a pair of fields", () =>
    expect(report({ kubelet: { imageGCLowThresholdPercent: 90 }, pools: pools({}, {}) })).toEqual([
      expect.stringMatching(/^kubelet\.imageGCLowThresholdPercent: /),
    ]));

  it("of a pool and of a worker, each by what it adds", () =>
    expect(
      report({
        kubelet: { imageGCLowThresholdPercent: 60 },
        pools: pools({ imageGCHighThresholdPercent: 50 }, { imageGCHighThresholdPercent: 40 }),
      }),
    ).toEqual([
      expect.stringMatching(/^pools\[0\]\.kubelet\.imageGCHighThresholdPercent: .*\(50\).*\(60\)/),
      expect.stringMatching(/^pools\[1\]\.workers\[0\]\.kubelet\.imageGCHighThresholdPercent: .*\(40\).*\(60\)/),
    ]));

  it("and not at all when every worker ends up with settings that fit", () =>
    expect(
      report({
        kubelet: { maxParallelImagePulls: 5 },
        pools: pools({ serializeImagePulls: false }, {}).slice(0, 1),
      }),
    ).toEqual([]));

  it("whatever the rest of the settings look like", () => {
    for (const given of [{}, { pools: "x" }, { pools: [null, 5, { workers: "x" }, { kubelet: "x" }] }, { kubelet: [] }])
      expect(report(given)).toEqual([]);
  });
});
