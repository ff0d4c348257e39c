/** Rules for combinations of KubeletConfiguration fields. A field that is not set has the default of Kubernetes. */
import { parseGoDuration } from "../validation/goDuration";
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { GATES_OF_A_KIND, gates, versionProblem } from "./kubeletData";

export interface Relation {
  /** The top-level fields that the rule reads. The report names the first one that the user set. */
  readonly fields: readonly (keyof KubeletConfiguration)[];
  /** What is wrong. Undefined when the fields fit together. */
  readonly problem: (config: KubeletConfiguration, minor: number) => string | undefined;
}

const ENFORCED = ["system-reserved", "kube-reserved"] as const;

/**
 * Whether a feature gate is on. Undefined when `AllAlpha` or `AllBeta` decides, because the data does not say which gates are alpha or
 * beta.
 */
function isGateOn(name: string, set: Readonly<Record<string, boolean>> = {}, minor: number): boolean | undefined {
  if (name in set) return set[name];
  const { on } = gates[name];
  return GATES_OF_A_KIND.some((kind) => kind in set) ? undefined : on !== undefined && !versionProblem(on, minor);
}

/** Names the gates that are on while a gate that they need is off (k8s.io/component-base/featuregate). */
function gateProblem(set: Readonly<Record<string, boolean>>, minor: number): string | undefined {
  const isOn = (name: string): boolean | undefined => isGateOn(name, set, minor);
  const origin = (name: string) => (name in set ? "" : " by default");
  const broken = Object.entries(gates).flatMap(([name, gate]) =>
    Object.entries(gate.needs ?? {}).flatMap(([needed, span]) =>
      !versionProblem(span, minor) && isOn(name) === true && isOn(needed) === false
        ? [`${name}, on${origin(name)}, needs ${needed}, which is off${origin(needed)}`]
        : [],
    ),
  );
  return broken.length
    ? `the kubelet of Kubernetes 1.${minor} would not start with these feature gates: ${broken.join("; ")}`
    : undefined;
}

/**
 * The rules. The fields of a config must be valid by themselves before a rule reads it.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/apis/config/validation/validation.go
 */
export const RELATIONS: readonly Relation[] = [
  {
    fields: ["imageGCHighThresholdPercent", "imageGCLowThresholdPercent"],
    problem: ({ imageGCHighThresholdPercent: high = 85, imageGCLowThresholdPercent: low = 80 }) =>
      low < high
        ? undefined
        : `imageGCHighThresholdPercent (${high}) must be above imageGCLowThresholdPercent (${low}); the defaults are 85 and 80`,
  },
  {
    fields: ["imageMaximumGCAge", "imageMinimumGCAge"],
    problem: ({ imageMaximumGCAge: most = "0s", imageMinimumGCAge: least = "2m" }) =>
      parseGoDuration(most) === 0 || parseGoDuration(most)! > parseGoDuration(least)!
        ? undefined
        : `imageMaximumGCAge (${most}) must be longer than imageMinimumGCAge (${least}); the default of imageMinimumGCAge is 2m`,
  },
  {
    fields: ["evictionSoft", "evictionSoftGracePeriod"],
    problem: ({ evictionSoft = {}, evictionSoftGracePeriod = {} }) => {
      const without = Object.keys(evictionSoft).filter((signal) => !(signal in evictionSoftGracePeriod));
      return without.length ? `evictionSoftGracePeriod is required for ${without.join(", ")}` : undefined;
    },
  },
  {
    fields: ["shutdownGracePeriodCriticalPods", "shutdownGracePeriod"],
    problem: ({ shutdownGracePeriodCriticalPods: critical = "0s", shutdownGracePeriod: all = "0s" }) =>
      parseGoDuration(critical)! <= parseGoDuration(all)!
        ? undefined
        : `shutdownGracePeriodCriticalPods (${critical}) is a part of shutdownGracePeriod (${all}), so it cannot be longer`,
  },
  {
    fields: ["shutdownGracePeriodByPodPriority", "shutdownGracePeriod", "shutdownGracePeriodCriticalPods"],
    problem: ({ shutdownGracePeriodByPodPriority: byPriority = [], ...config }) =>
      byPriority.length &&
      [config.shutdownGracePeriod, config.shutdownGracePeriodCriticalPods].some((t) => parseGoDuration(t ?? "0"))
        ? "shutdownGracePeriodByPodPriority cannot be set together with shutdownGracePeriod"
        : undefined,
  },
  {
    fields: ["maxParallelImagePulls", "serializeImagePulls"],
    // The default of serializeImagePulls is false when maxParallelImagePulls is above 1.
    problem: ({ maxParallelImagePulls: most = 1, serializeImagePulls }) =>
      most > 1 && serializeImagePulls ? "maxParallelImagePulls above 1 needs serializeImagePulls: false" : undefined,
  },
  {
    fields: ["systemCgroups", "cgroupRoot"],
    problem: ({ systemCgroups, cgroupRoot }) =>
      systemCgroups && !cgroupRoot ? "systemCgroups needs cgroupRoot" : undefined,
  },
  {
    fields: ["enforceNodeAllocatable", "systemReservedCgroup", "kubeReservedCgroup", "cgroupsPerQOS"],
    problem: ({ enforceNodeAllocatable: enforced = ["pods"], cgroupsPerQOS = true, ...config }) => {
      const cgroups = { "system-reserved": config.systemReservedCgroup, "kube-reserved": config.kubeReservedCgroup };
      if (new Set(enforced).size < enforced.length) return "enforceNodeAllocatable lists a value twice";
      if (enforced.includes("none"))
        return enforced.length > 1 ? "enforceNodeAllocatable cannot combine none with other values" : undefined;
      for (const what of ENFORCED) {
        const [plain, compressible] = [enforced.includes(what), enforced.includes(`${what}-compressible`)];
        if (plain && compressible) return `enforceNodeAllocatable cannot have both ${what} and ${what}-compressible`;
        if ((plain || compressible) && !cgroups[what])
          return `enforceNodeAllocatable with ${what} needs ${what === "system-reserved" ? "systemReservedCgroup" : "kubeReservedCgroup"}`;
      }
      return enforced.length && !cgroupsPerQOS
        ? 'enforceNodeAllocatable needs cgroupsPerQOS: true; with cgroupsPerQOS: false it must be ["none"]'
        : undefined;
    },
  },
  {
    fields: ["reservedSystemCPUs", "systemReservedCgroup", "kubeReservedCgroup"],
    problem: ({ reservedSystemCPUs, systemReservedCgroup, kubeReservedCgroup }) =>
      reservedSystemCPUs && (systemReservedCgroup || kubeReservedCgroup)
        ? "reservedSystemCPUs cannot be set together with systemReservedCgroup or kubeReservedCgroup"
        : undefined,
  },
  {
    fields: ["enableSystemLogQuery", "enableSystemLogHandler", "featureGates"],
    problem: ({ enableSystemLogQuery, enableSystemLogHandler = true, featureGates }, minor) =>
      enableSystemLogQuery && !(enableSystemLogHandler && isGateOn("NodeLogQuery", featureGates, minor) !== false)
        ? "enableSystemLogQuery needs enableSystemLogHandler: true and featureGates.NodeLogQuery: true"
        : undefined,
  },
  {
    fields: ["cpuCFSQuotaPeriod", "featureGates"],
    problem: ({ cpuCFSQuotaPeriod: period = "100ms", featureGates }, minor) =>
      parseGoDuration(period) !== 0.1 && isGateOn("CustomCPUCFSQuotaPeriod", featureGates, minor) === false
        ? "cpuCFSQuotaPeriod other than 100ms needs featureGates.CustomCPUCFSQuotaPeriod: true"
        : undefined,
  },
  {
    fields: ["crashLoopBackOff", "featureGates"],
    problem: ({ crashLoopBackOff, featureGates }, minor) =>
      crashLoopBackOff?.maxContainerRestartPeriod &&
      isGateOn("KubeletCrashLoopBackOffMax", featureGates, minor) === false
        ? "crashLoopBackOff.maxContainerRestartPeriod needs featureGates.KubeletCrashLoopBackOffMax: true"
        : undefined,
  },
  {
    fields: ["imagePullCredentialsVerificationPolicy", "preloadedImagesVerificationAllowlist", "featureGates"],
    problem: (config, minor) => {
      const { imagePullCredentialsVerificationPolicy: policy, preloadedImagesVerificationAllowlist: allowed = [] } =
        config;
      const isOff = isGateOn("KubeletEnsureSecretPulledImages", config.featureGates, minor) === false;
      if ((policy || allowed.length) && isOff)
        return "imagePullCredentialsVerificationPolicy needs featureGates.KubeletEnsureSecretPulledImages: true";
      return allowed.length && policy !== "NeverVerifyAllowlistedImages"
        ? "preloadedImagesVerificationAllowlist needs imagePullCredentialsVerificationPolicy: NeverVerifyAllowlistedImages"
        : undefined;
    },
  },
  {
    fields: ["memoryReservationPolicy", "featureGates"],
    problem: ({ memoryReservationPolicy, featureGates }, minor) =>
      memoryReservationPolicy === "TieredReservation" && isGateOn("MemoryQoS", featureGates, minor) === false
        ? "memoryReservationPolicy: TieredReservation needs featureGates.MemoryQoS: true"
        : undefined,
  },
  {
    // 0.9 was the default up to 1.36, so the kubelet still accepts it without the gate.
    fields: ["memoryThrottlingFactor", "featureGates"],
    problem: ({ memoryThrottlingFactor: factor = 0.9, featureGates }, minor) =>
      minor >= 37 && factor !== 0.9 && isGateOn("MemoryQoS", featureGates, minor) === false
        ? "memoryThrottlingFactor other than 0.9 needs featureGates.MemoryQoS: true"
        : undefined,
  },
  {
    fields: ["defaultPodSysctls", "featureGates"],
    problem: ({ defaultPodSysctls = {}, featureGates }, minor) =>
      Object.keys(defaultPodSysctls).length && isGateOn("DefaultPodSysctls", featureGates, minor) === false
        ? "defaultPodSysctls needs featureGates.DefaultPodSysctls: true"
        : undefined,
  },
  {
    fields: ["featureGates"],
    problem: ({ featureGates = {} }, minor) => gateProblem(featureGates, minor),
  },
  {
    fields: ["logging"],
    problem: ({ logging }) =>
      logging?.vmodule?.length && logging.format === "json" ? "logging.vmodule needs logging.format: text" : undefined,
  },
];
