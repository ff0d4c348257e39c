/** Right and wrong kubelet settings of the newest Kubernetes. Unit tests check the messages, e2e tests ask a real kubelet. */
export type Settings = Record<string, unknown>;

/** Settings with one wrong field, and the end of the field's line in the report. */
export const WRONG_FIELDS: readonly [Settings, string][] = [
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
    ".tlsCipherSuites[0]: 'TLS_RSA_WITH_RC4_128_SHA' is not a secure cipher suite of Go's crypto/tls",
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
  [
    { defaultPodSysctls: { "vm.swappiness": "10" }, featureGates: { DefaultPodSysctls: true } },
    '.defaultPodSysctls["vm.swappiness"]: is not a namespaced sysctl: it would change the whole host',
  ],
  [{ tlsCurvePreferences: [29, 29] }, ".tlsCurvePreferences: '[29,29]' lists a curve twice"],
  [
    { tlsCurvePreferences: [21] },
    ".tlsCurvePreferences[0]: '21' must be a curve of Go's crypto/tls: 23, 24, 25, 29, 4587, 4588, 4589",
  ],
  [{ memoryReservationPolicy: "Tiered" }, ".memoryReservationPolicy: 'Tiered' must be one of None, TieredReservation"],
  // Feature gates.
  [
    { featureGates: { NodeSwop: true } },
    ".featureGates.NodeSwop: is not a feature gate of the kubelet, which would not start; did you mean NodeSwap?",
  ],
  [{ featureGates: { NodeSwap: "true" } }, ".featureGates.NodeSwap: 'true' must be true or false"],
  [
    { featureGates: { NodeLogQuery: false } },
    ".featureGates.NodeLogQuery: is locked to true since Kubernetes 1.36: the kubelet would not start with false",
  ],
  // Fields that this module does not allow.
  [
    { registerNode: false },
    ".registerNode: 'false' cannot be used: the Node would lack the labels that the kubelet sets: kubernetes.io/hostname, os and arch",
  ],
  [
    { registerWithTaints: [] },
    ".registerWithTaints: '[]' cannot be used: the kubelet sets them only on a Node that it creates, and this module creates the Node first; use 'taints'",
  ],
  [{ runOnce: true }, ".runOnce: 'true' cannot be used: the kubelet would exit after its pods have started"],
  [
    { rotateCertificates: false },
    ".rotateCertificates: cannot be false: without rotation the node drops out of the cluster when its first certificate expires",
  ],
];

/** Settings whose fields contradict each other, the field that is reported, and a part of its line. */
export const WRONG_PAIRS: readonly [Settings, string, string][] = [
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
  [{ imageMaximumGCAge: "1m" }, "imageMaximumGCAge", "must be longer than imageMinimumGCAge (2m)"],
  [
    { evictionSoft: { "memory.available": "1Gi" } },
    "evictionSoft",
    "evictionSoftGracePeriod is required for memory.available",
  ],
  [
    { shutdownGracePeriodCriticalPods: "10s" },
    "shutdownGracePeriodCriticalPods",
    "is a part of shutdownGracePeriod (0s)",
  ],
  [
    { maxParallelImagePulls: 5, serializeImagePulls: true },
    "maxParallelImagePulls",
    "needs serializeImagePulls: false",
  ],
  [{ systemCgroups: "/system" }, "systemCgroups", "needs cgroupRoot"],
  [{ cgroupsPerQOS: false }, "cgroupsPerQOS", "enforceNodeAllocatable needs cgroupsPerQOS: true"],
  [{ enforceNodeAllocatable: ["pods", "system-reserved"] }, "enforceNodeAllocatable", "needs systemReservedCgroup"],
  [{ enforceNodeAllocatable: ["none", "pods"] }, "enforceNodeAllocatable", "cannot combine none with other values"],
  [{ enforceNodeAllocatable: ["pods", "pods"] }, "enforceNodeAllocatable", "lists a value twice"],
  [{ reservedSystemCPUs: "0", kubeReservedCgroup: "/kube" }, "reservedSystemCPUs", "cannot be set together"],
  [
    { enableSystemLogQuery: true, enableSystemLogHandler: false },
    "enableSystemLogQuery",
    "needs enableSystemLogHandler: true and featureGates.NodeLogQuery: true",
  ],
  [
    { cpuCFSQuotaPeriod: "10ms", featureGates: { CustomCPUCFSQuotaPeriod: false } },
    "cpuCFSQuotaPeriod",
    "needs featureGates.CustomCPUCFSQuotaPeriod: true",
  ],
  [
    {
      imagePullCredentialsVerificationPolicy: "AlwaysVerify",
      featureGates: { KubeletEnsureSecretPulledImages: false },
    },
    "imagePullCredentialsVerificationPolicy",
    "needs featureGates.KubeletEnsureSecretPulledImages: true",
  ],
  [
    { memoryReservationPolicy: "TieredReservation", featureGates: { MemoryQoS: false } },
    "memoryReservationPolicy",
    "needs featureGates.MemoryQoS: true",
  ],
  [
    { memoryThrottlingFactor: 0.8, featureGates: { MemoryQoS: false } },
    "memoryThrottlingFactor",
    "needs featureGates.MemoryQoS: true",
  ],
  [
    { defaultPodSysctls: { "net.core.somaxconn": "1024" } },
    "defaultPodSysctls",
    "needs featureGates.DefaultPodSysctls: true",
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
];

export const RIGHT_SETTINGS: readonly Settings[] = [
  { maxPods: 50, featureGates: { NodeSwap: true, AllAlpha: false }, memorySwap: { swapBehavior: "LimitedSwap" } },
  { systemReserved: { cpu: "200m", memory: "512Mi", "ephemeral-storage": "1Gi", pid: "1000" } },
  { evictionHard: { "memory.available": "5%", "nodefs.inodesFree": "0%", "pid.available": "100" } },
  { logging: { format: "json", verbosity: 4, flushFrequency: "5s" } },
  { logging: { flushFrequency: 5_000_000_000, vmodule: [{ filePattern: "kubelet*", verbosity: 6 }] } },
  { tracing: { endpoint: "localhost:4317", samplingRatePerMillion: 100 } },
  { reservedMemory: [{ numaNode: 0, limits: { memory: "1Gi", "hugepages-2Mi": "64Mi" } }] },
  { podPidsLimit: -1, streamingConnectionIdleTimeout: "5m0s", registerNode: true, runOnce: false },
  { tlsCipherSuites: ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] },
  { imageGCHighThresholdPercent: 100 },
  { imageGCHighThresholdPercent: 60, imageGCLowThresholdPercent: 50 },
  { evictionSoft: { "memory.available": "1Gi" }, evictionSoftGracePeriod: { "memory.available": "1m" } },
  { shutdownGracePeriod: "30s", shutdownGracePeriodCriticalPods: "10s" },
  { maxParallelImagePulls: 5 },
  { maxParallelImagePulls: 5, serializeImagePulls: false },
  { cgroupsPerQOS: false, enforceNodeAllocatable: ["none"] },
  { cpuCFSQuotaPeriod: "10ms" },
  { enableSystemLogQuery: true },
  { memoryReservationPolicy: "TieredReservation", memoryThrottlingFactor: 0.8 },
  { memoryThrottlingFactor: 0.9, featureGates: { MemoryQoS: false } },
  { tlsCurvePreferences: [23, 24, 25, 29, 4587, 4588, 4589] },
  {
    defaultPodSysctls: { "net.core.somaxconn": "1024", "kernel.shm_rmid_forced": "1" },
    featureGates: { DefaultPodSysctls: true },
  },
];

/**
 * Settings that the kubelet accepts and the preview refuses. The kubelet reads 0 as the default, and checks some values later or not at
 * all.
 */
export const ONLY_PREVIEW_REFUSES: readonly Settings[] = [
  ...[{ maxPods: null }, { authentication: null }, { maxPods: 0 }, { port: 0 }, { nodeStatusUpdateFrequency: "0s" }],
  ...[{ nodeStatusUpdateFrequency: "-1s" }, { podLogsDir: "logs" }, { clusterDNS: ["10.96.0"] }],
  ...[{ tlsCipherSuites: ["TLS_RSA_WITH_RC4_128_SHA"] }, { rotateCertificates: false }],
  ...[{ registerNode: false }, { registerWithTaints: [] }, { configMapAndSecretChangeDetectionStrategy: "watch" }],
];

/** Settings that the kubelet refuses only when it sets up its managers, after it has its certificate. */
export const REFUSED_LATE: readonly Settings[] = [
  { containerLogMaxSize: "10MB" },
  ...[{ "memory.avail": "100Mi" }, { "memory.available": "100MB" }, { "nodefs.available": "101%" }].map(
    (evictionHard) => ({ evictionHard }),
  ),
  ...[{ kubeReserved: { disk: "1Gi" } }, { kubeReserved: { memory: "1GB" } }],
  { evictionSoft: { "memory.available": "1Gi" } },
];
