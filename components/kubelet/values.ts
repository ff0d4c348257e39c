/**
 * What single values must be, beyond their type: the rules of Kubernetes' own validation, and of the places that read a value only once
 * the kubelet runs, as far as they can be decided without the host.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/apis/config/validation/validation.go
 */
import { isIP } from "node:net";
import { amount, percent, seconds } from "./text";

type Rule<T> = (value: T, minor: number | undefined) => string | undefined;

const between =
  (least: number, most: number): Rule<number> =>
  (value) =>
    value >= least && value <= most ? undefined : `must be between ${least} and ${most}`;

const atLeast =
  (least: number): Rule<number> =>
  (value) =>
    value >= least ? undefined : `must be ${least} or more`;

const oneOf =
  (...values: string[]): Rule<string> =>
  (value) =>
    values.includes(value) ? undefined : `must be one of ${values.join(", ")}`;

const lasting =
  (least: number, most = Infinity, what = `must be ${least}s or more`): Rule<string> =>
  (value) => {
    const given = seconds(value)!;
    return given >= least && given <= most ? undefined : what;
  };

/** Of a time that something takes or lasts. A kubelet reads 0 as "not set". */
const positive: Rule<string> = (value) => (seconds(value)! > 0 ? undefined : "must be longer than 0");
const notNegative: Rule<string> = (value) => (seconds(value)! >= 0 ? undefined : "must not be negative");

const ip: Rule<string> = (value) => (isIP(value) ? undefined : "must be an IP address");

const absolutePath: Rule<string> = (value) =>
  /^(\/[^/]+)+$/.test(value) && !/\/\.\.?(\/|$)/.test(value) ? undefined : "must be an absolute path, without '..'";

const quantityOrPercentage: Rule<string> = (value) => {
  const share = percent(value);
  if (share !== undefined) return share <= 100 ? undefined : "must be 100% or less";
  return (amount(value) ?? 0) > 0 ? undefined : "must be a quantity such as 100Mi or a percentage such as 10%, above 0";
};

const reserved: Rule<string> = (value) =>
  (amount(value) ?? -1) >= 0 ? undefined : "must be a quantity such as 200m or 512Mi, not below 0";

/** A list of CPUs such as `0-1,4` (k8s.io/utils/cpuset). */
const cpus: Rule<string> = (value) =>
  value.split(",").every((part) => {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    return from !== undefined && (to === undefined || Number(from) <= Number(to));
  })
    ? undefined
    : "must be a list of CPUs such as 0-1,4";

/** Names of Go's crypto/tls (k8s.io/component-base/cli/flag/ciphersuites_flag.go); those that are not secure are not among them. */
const CIPHER_SUITES = [
  ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  ...["ECDSA", "RSA"].flatMap((key) => [
    `TLS_ECDHE_${key}_WITH_AES_128_CBC_SHA`,
    `TLS_ECDHE_${key}_WITH_AES_256_CBC_SHA`,
    `TLS_ECDHE_${key}_WITH_AES_128_GCM_SHA256`,
    `TLS_ECDHE_${key}_WITH_AES_256_GCM_SHA384`,
    `TLS_ECDHE_${key}_WITH_CHACHA20_POLY1305`,
    `TLS_ECDHE_${key}_WITH_CHACHA20_POLY1305_SHA256`,
  ]),
];

/** Key exchange mechanisms of Go's crypto/tls: P-256, P-384, P-521, X25519, and the hybrids of these with ML-KEM. */
const CURVES = [23, 24, 25, 29, 4587, 4588, 4589];

const curves: Rule<readonly unknown[]> = (values) =>
  new Set(values).size < values.length ? "names a curve twice" : undefined;

/** By path: a field, `[]` for the elements of a list, `*` for the values of a map. The value is of the field's type. */
export const VALUE_RULES: Readonly<Record<string, Rule<never> | undefined>> = {
  address: ip,
  cgroupDriver: oneOf("systemd", "cgroupfs"),
  "clusterDNS[]": ip,
  containerLogMaxFiles: atLeast(2),
  containerLogMaxSize: (value: string) => ((amount(value) ?? 0) > 0 ? undefined : "must be a quantity such as 10Mi"),
  containerLogMaxWorkers: atLeast(1),
  containerLogMonitorInterval: lasting(3),
  cpuCFSQuotaPeriod: lasting(0.001, 1, "must be between 1ms and 1s"),
  cpuManagerPolicy: oneOf("none", "static"),
  "crashLoopBackOff.maxContainerRestartPeriod": lasting(1, 300, "must be between 1s and 300s"),
  "enforceNodeAllocatable[]": oneOf(
    ...["none", "pods", "system-reserved", "kube-reserved"],
    ...["system-reserved-compressible", "kube-reserved-compressible"],
  ),
  eventBurst: atLeast(0),
  eventRecordQPS: atLeast(0),
  "evictionHard.*": quantityOrPercentage,
  "evictionSoft.*": quantityOrPercentage,
  "evictionMinimumReclaim.*": quantityOrPercentage,
  "evictionSoftGracePeriod.*": (value: string) =>
    (seconds(value) ?? -1) >= 0 ? undefined : "must be a duration such as 1m30s",
  hairpinMode: oneOf("hairpin-veth", "promiscuous-bridge", "none"),
  healthzBindAddress: ip,
  healthzPort: between(0, 65535),
  imageGCHighThresholdPercent: between(0, 100),
  imageGCLowThresholdPercent: between(0, 100),
  imageMaximumGCAge: notNegative,
  imageMinimumGCAge: notNegative,
  iptablesDropBit: between(0, 31),
  iptablesMasqueradeBit: between(0, 31),
  kubeAPIBurst: atLeast(0),
  kubeAPIQPS: atLeast(0),
  "kubeReserved.*": reserved,
  "logging.format": oneOf("text", "json"),
  "logging.verbosity": between(0, 2 ** 31 - 1),
  "logging.vmodule[].filePattern": (value: string) =>
    /^[^=,]+$/.test(value) ? undefined : "must be the pattern of file names, without '=' and ','",
  "logging.vmodule[].verbosity": between(0, 2 ** 31 - 1),
  maxOpenFiles: atLeast(0),
  maxParallelImagePulls: atLeast(1),
  maxPods: atLeast(1),
  memoryManagerPolicy: oneOf("None", "Static"),
  "memorySwap.swapBehavior": oneOf("NoSwap", "LimitedSwap"),
  memoryThrottlingFactor: (value: number) => (value > 0 && value <= 1 ? undefined : "must be above 0 and at most 1"),
  nodeLeaseDurationSeconds: atLeast(1),
  nodeStatusMaxImages: atLeast(-1),
  nodeStatusReportFrequency: positive,
  nodeStatusUpdateFrequency: positive,
  oomScoreAdj: between(-1000, 1000),
  podLogsDir: absolutePath,
  podPidsLimit: (value: number) => (value === -1 || value > 0 ? undefined : "must be above 0, or -1 for no limit"),
  podsPerCore: atLeast(0),
  port: between(1, 65535),
  "qosReserved.*": (value: string) => ((percent(value) ?? 101) <= 100 ? undefined : "must be a percentage such as 50%"),
  registerNode: (value: boolean) =>
    value
      ? undefined
      : "cannot be used: the Node would lack the labels that kubelets give it: kubernetes.io/hostname, os and arch",
  registerWithTaints: () =>
    "cannot be used: kubelets give taints to a Node that they make, and this one is declared before; use 'taints'",
  registryBurst: atLeast(0),
  registryPullQPS: atLeast(0),
  reservedSystemCPUs: cpus,
  runOnce: (value: boolean) =>
    value ? "cannot be used: a kubelet that ends when its pods have started makes no node" : undefined,
  shutdownGracePeriod: (value: string) => zeroOrASecond(value),
  shutdownGracePeriodCriticalPods: (value: string) => zeroOrASecond(value),
  syncFrequency: positive,
  "systemReserved.*": reserved,
  "tlsCipherSuites[]": (value: string) =>
    CIPHER_SUITES.includes(value) ? undefined : "is not the name of a secure cipher suite of Go's crypto/tls",
  tlsCurvePreferences: curves,
  "tlsCurvePreferences[]": (value: number) =>
    CURVES.includes(value) ? undefined : `must be a curve of Go's crypto/tls: ${CURVES.join(", ")}`,
  tlsMinVersion: oneOf("VersionTLS12", "VersionTLS13"),
  topologyManagerPolicy: oneOf("none", "best-effort", "restricted", "single-numa-node"),
  topologyManagerScope: oneOf("container", "pod"),
  "tracing.samplingRatePerMillion": between(0, 1_000_000),
  "userNamespaces.idsPerPod": (value: number) =>
    value > 0 && value % 65536 === 0 && value < 2 ** 32 ? undefined : "must be a multiple of 65536, below 2^32",
};

const zeroOrASecond = (value: string) =>
  seconds(value) === 0 ? undefined : lasting(1, Infinity, "must be 0s, or 1s or more")(value, undefined);

/** Signals of eviction (pkg/kubelet/eviction/api). */
const signal = oneOf(
  ...["memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"],
  "pid.available",
);
const reservable = oneOf("cpu", "memory", "ephemeral-storage", "pid");

const SYSCTL_SEGMENT = "[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?";
const SYSCTL = new RegExp(`^${SYSCTL_SEGMENT}\\.(?:${SYSCTL_SEGMENT}[./])*${SYSCTL_SEGMENT}$`);
/** What a pod has of its own (k8s.io/component-helpers/node/util/sysctl). */
const NAMESPACED =
  /^(net\.|user\.|fs\.mqueue\.|kernel\.(domainname|sem|shm|shmall|shmmax|shmmni|shm_rmid_forced|msg|msgmax|msgmnb|msgmni)$)/;

const podSysctl: Rule<string> = (name) => {
  if (name.length > 253 || !SYSCTL.test(name)) return "must be the name of a sysctl such as net.core.somaxconn";
  return NAMESPACED.test(name) ? undefined : "is not a sysctl that each pod has of its own";
};

/** By path: the keys of a map. */
export const KEY_RULES: Readonly<Record<string, Rule<string> | undefined>> = {
  defaultPodSysctls: podSysctl,
  evictionHard: signal,
  evictionSoft: signal,
  evictionSoftGracePeriod: signal,
  evictionMinimumReclaim: signal,
  kubeReserved: reservable,
  systemReserved: reservable,
  qosReserved: oneOf("memory"),
  "reservedMemory[].limits": (key) =>
    key === "memory" || key.startsWith("hugepages-") ? undefined : "must be memory or hugepages-<size>",
};
