/**
 * Rules for single values of KubeletConfiguration, beyond their type. They come from the kubelet's validation and from the code that reads
 * a value later. A rule that depends on the host is not here.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/apis/config/validation/validation.go
 */
import { isIP } from "node:net";
import { parseGoDuration } from "../validation/goDuration";
import { parsePercentage, parseQuantity } from "./quantities";

/** Returns what is wrong with a value, or undefined. */
type ValueRule<T> = (value: T, minor: number | undefined) => string | undefined;

const between =
  (least: number, most: number): ValueRule<number> =>
  (value) =>
    value >= least && value <= most ? undefined : `must be between ${least} and ${most}`;

const atLeast =
  (least: number): ValueRule<number> =>
  (value) =>
    value >= least ? undefined : `must be ${least} or more`;

const oneOf =
  (...values: string[]): ValueRule<string> =>
  (value) =>
    values.includes(value) ? undefined : `must be one of ${values.join(", ")}`;

/** A duration between two numbers of seconds. */
const durationBetween =
  (least: number, most = Infinity, problem = `must be ${least}s or more`): ValueRule<string> =>
  (value) => {
    const given = parseGoDuration(value)!;
    return given >= least && given <= most ? undefined : problem;
  };

/** A duration above 0. The kubelet takes 0 for "not set". */
const positiveDuration: ValueRule<string> = (value) =>
  parseGoDuration(value)! > 0 ? undefined : "must be longer than 0";
const nonNegativeDuration: ValueRule<string> = (value) =>
  parseGoDuration(value)! >= 0 ? undefined : "must not be negative";

const ip: ValueRule<string> = (value) => (isIP(value) ? undefined : "must be an IP address");

const absolutePath: ValueRule<string> = (value) =>
  /^(\/[^/]+)+$/.test(value) && !/\/\.\.?(\/|$)/.test(value) ? undefined : "must be an absolute path, without '..'";

const quantityOrPercentage: ValueRule<string> = (value) => {
  const share = parsePercentage(value);
  if (share !== undefined) return share <= 100 ? undefined : "must be 100% or less";
  return (parseQuantity(value) ?? 0) > 0
    ? undefined
    : "must be a quantity such as 100Mi or a percentage such as 10%, above 0";
};

/** How much of a resource is reserved. */
const reservedQuantity: ValueRule<string> = (value) =>
  (parseQuantity(value) ?? -1) >= 0 ? undefined : "must be a quantity such as 200m or 512Mi, not below 0";

/** A list of CPUs such as `0-1,4` (k8s.io/utils/cpuset). */
const cpuList: ValueRule<string> = (value) =>
  value.split(",").every((part) => {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    return from !== undefined && (to === undefined || Number(from) <= Number(to));
  })
    ? undefined
    : "must be a list of CPUs such as 0-1,4";

/** Secure cipher suites by their names in Go's crypto/tls (k8s.io/component-base/cli/flag/ciphersuites_flag.go). */
const SECURE_CIPHER_SUITES = [
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

/** Key exchange mechanisms of Go's crypto/tls: P-256, P-384, P-521, X25519, and three hybrids with ML-KEM. */
const CURVES = [23, 24, 25, 29, 4587, 4588, 4589];

const curves: ValueRule<readonly unknown[]> = (values) =>
  new Set(values).size < values.length ? "lists a curve twice" : undefined;

/**
 * Rules by path: the name of a field, `[]` for the elements of a list, `*` for the values of a map. A rule gets a value of the field's
 * type.
 */
export const VALUE_RULES: Readonly<Record<string, ValueRule<never> | undefined>> = {
  address: ip,
  cgroupDriver: oneOf("systemd", "cgroupfs"),
  "clusterDNS[]": ip,
  containerLogMaxFiles: atLeast(2),
  containerLogMaxSize: (value: string) =>
    (parseQuantity(value) ?? 0) > 0 ? undefined : "must be a quantity such as 10Mi",
  containerLogMaxWorkers: atLeast(1),
  containerLogMonitorInterval: durationBetween(3),
  cpuCFSQuotaPeriod: durationBetween(0.001, 1, "must be between 1ms and 1s"),
  cpuManagerPolicy: oneOf("none", "static"),
  "crashLoopBackOff.maxContainerRestartPeriod": durationBetween(1, 300, "must be between 1s and 300s"),
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
    (parseGoDuration(value) ?? -1) >= 0 ? undefined : "must be a duration such as 1m30s",
  hairpinMode: oneOf("hairpin-veth", "promiscuous-bridge", "none"),
  healthzBindAddress: ip,
  healthzPort: between(0, 65535),
  imageGCHighThresholdPercent: between(0, 100),
  imageGCLowThresholdPercent: between(0, 100),
  imageMaximumGCAge: nonNegativeDuration,
  imageMinimumGCAge: nonNegativeDuration,
  iptablesDropBit: between(0, 31),
  iptablesMasqueradeBit: between(0, 31),
  kubeAPIBurst: atLeast(0),
  kubeAPIQPS: atLeast(0),
  "kubeReserved.*": reservedQuantity,
  "logging.format": oneOf("text", "json"),
  "logging.verbosity": between(0, 2 ** 31 - 1),
  "logging.vmodule[].filePattern": (value: string) =>
    /^[^=,]+$/.test(value) ? undefined : "must be a pattern of file names, without '=' and ','",
  "logging.vmodule[].verbosity": between(0, 2 ** 31 - 1),
  maxOpenFiles: atLeast(0),
  maxParallelImagePulls: atLeast(1),
  maxPods: atLeast(1),
  memoryManagerPolicy: oneOf("None", "Static"),
  "memorySwap.swapBehavior": oneOf("NoSwap", "LimitedSwap"),
  memoryThrottlingFactor: (value: number) => (value > 0 && value <= 1 ? undefined : "must be above 0 and at most 1"),
  nodeLeaseDurationSeconds: atLeast(1),
  nodeStatusMaxImages: atLeast(-1),
  nodeStatusReportFrequency: positiveDuration,
  nodeStatusUpdateFrequency: positiveDuration,
  oomScoreAdj: between(-1000, 1000),
  podLogsDir: absolutePath,
  podPidsLimit: (value: number) => (value === -1 || value > 0 ? undefined : "must be above 0, or -1 for no limit"),
  podsPerCore: atLeast(0),
  port: between(1, 65535),
  "qosReserved.*": (value: string) =>
    (parsePercentage(value) ?? 101) <= 100 ? undefined : "must be a percentage such as 50%",
  registerNode: (value: boolean) =>
    value
      ? undefined
      : "cannot be used: the Node would lack the labels that the kubelet sets: kubernetes.io/hostname, os and arch",
  registerWithTaints: () =>
    "cannot be used: the kubelet sets them only on a Node that it creates, and this module creates the Node first; use 'taints'",
  registryBurst: atLeast(0),
  registryPullQPS: atLeast(0),
  reservedSystemCPUs: cpuList,
  runOnce: (value: boolean) =>
    value ? "cannot be used: the kubelet would exit after its pods have started" : undefined,
  shutdownGracePeriod: (value: string) => zeroOrOneSecond(value),
  shutdownGracePeriodCriticalPods: (value: string) => zeroOrOneSecond(value),
  syncFrequency: positiveDuration,
  "systemReserved.*": reservedQuantity,
  "tlsCipherSuites[]": (value: string) =>
    SECURE_CIPHER_SUITES.includes(value) ? undefined : "is not a secure cipher suite of Go's crypto/tls",
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

const zeroOrOneSecond = (value: string) =>
  parseGoDuration(value) === 0
    ? undefined
    : durationBetween(1, Infinity, "must be 0s, or 1s or more")(value, undefined);

/** Eviction signals (pkg/kubelet/eviction/api). */
const evictionSignal = oneOf(
  ...["memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"],
  "pid.available",
);
const reservableResource = oneOf("cpu", "memory", "ephemeral-storage", "pid");

const SYSCTL_SEGMENT = "[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?";
const SYSCTL = new RegExp(`^${SYSCTL_SEGMENT}\\.(?:${SYSCTL_SEGMENT}[./])*${SYSCTL_SEGMENT}$`);
/** Sysctls that each pod has for itself (k8s.io/component-helpers/node/util/sysctl). */
const NAMESPACED_SYSCTL =
  /^(net\.|user\.|fs\.mqueue\.|kernel\.(domainname|sem|shm|shmall|shmmax|shmmni|shm_rmid_forced|msg|msgmax|msgmnb|msgmni)$)/;

const podSysctl: ValueRule<string> = (name) => {
  if (name.length > 253 || !SYSCTL.test(name)) return "must be the name of a sysctl such as net.core.somaxconn";
  return NAMESPACED_SYSCTL.test(name) ? undefined : "is not a namespaced sysctl: it would change the whole host";
};

/** Rules for the keys of maps, by the path of the map. */
export const KEY_RULES: Readonly<Record<string, ValueRule<string> | undefined>> = {
  defaultPodSysctls: podSysctl,
  evictionHard: evictionSignal,
  evictionSoft: evictionSignal,
  evictionSoftGracePeriod: evictionSignal,
  evictionMinimumReclaim: evictionSignal,
  kubeReserved: reservableResource,
  systemReserved: reservableResource,
  qosReserved: oneOf("memory"),
  "reservedMemory[].limits": (key) =>
    key === "memory" || key.startsWith("hugepages-") ? undefined : "must be memory or hugepages-<size>",
};
