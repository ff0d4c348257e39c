/** What fields must be to each other. Defaults of Kubernetes stand in for what is not set. */
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { GATES_OF_A_KIND, gates, missing } from "./kubeletData";
import { seconds } from "./text";

export interface Relation {
  /** Top-level fields that it is about, the one to be shown first. */
  readonly fields: readonly (keyof KubeletConfiguration)[];
  readonly problem: (config: KubeletConfiguration, minor: number) => string | undefined;
}

const ENFORCED = ["system-reserved", "kube-reserved"] as const;

/**
 * Whether a feature gate is on. Undefined when `AllAlpha` or `AllBeta` is set, because this module does not know which gates are of a kind.
 */
function isGateOn(name: string, set: Readonly<Record<string, boolean>> = {}, minor: number): boolean | undefined {
  if (name in set) return set[name];
  const { on } = gates[name];
  return GATES_OF_A_KIND.some((kind) => kind in set) ? undefined : on !== undefined && !missing(on, minor);
}

/** Gates that are on while one that they need is off (component-base/featuregate). */
function brokenGates(set: Readonly<Record<string, boolean>>, minor: number): string | undefined {
  const isOn = (name: string): boolean | undefined => isGateOn(name, set, minor);
  const by = (name: string) => (name in set ? "" : " by default");
  const broken = Object.entries(gates).flatMap(([name, gate]) =>
    Object.entries(gate.needs ?? {}).flatMap(([needed, span]) =>
      !missing(span, minor) && isOn(name) === true && isOn(needed) === false
        ? [`${name}, on${by(name)}, needs ${needed}, which is off${by(needed)}`]
        : [],
    ),
  );
  return broken.length
    ? `kubelets of Kubernetes 1.${minor} would not start with these feature gates: ${broken.join("; ")}`
    : undefined;
}

/**
 * Of a config whose fields are right by themselves.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/apis/config/validation/validation.go
 */
export const RELATIONS: readonly Relation[] = [
  {
    fields: ["imageGCHighThresholdPercent", "imageGCLowThresholdPercent"],
    problem: ({ imageGCHighThresholdPercent: high = 85, imageGCLowThresholdPercent: low = 80 }) =>
      low < high
        ? undefined
        : `imageGCHighThresholdPercent (${high}) must be above imageGCLowThresholdPercent (${low}), where the defaults are 85 and 80`,
  },
  {
    fields: ["imageMaximumGCAge", "imageMinimumGCAge"],
    problem: ({ imageMaximumGCAge: most = "0s", imageMinimumGCAge: least = "2m" }) =>
      seconds(most) === 0 || seconds(most)! > seconds(least)!
        ? undefined
        : `imageMaximumGCAge (${most}) must be longer than imageMinimumGCAge (${least}, where the default is 2m)`,
  },
  {
    fields: ["evictionSoft", "evictionSoftGracePeriod"],
    problem: ({ evictionSoft = {}, evictionSoftGracePeriod = {} }) => {
      const without = Object.keys(evictionSoft).filter((signal) => !(signal in evictionSoftGracePeriod));
      return without.length ? `evictionSoftGracePeriod is needed for ${without.join(", ")}` : undefined;
    },
  },
  {
    fields: ["shutdownGracePeriodCriticalPods", "shutdownGracePeriod"],
    problem: ({ shutdownGracePeriodCriticalPods: critical = "0s", shutdownGracePeriod: all = "0s" }) =>
      seconds(critical)! <= seconds(all)!
        ? undefined
        : `shutdownGracePeriodCriticalPods (${critical}) is a part of shutdownGracePeriod (${all}) and cannot be longer`,
  },
  {
    fields: ["shutdownGracePeriodByPodPriority", "shutdownGracePeriod", "shutdownGracePeriodCriticalPods"],
    problem: ({ shutdownGracePeriodByPodPriority: byPriority = [], ...config }) =>
      byPriority.length &&
      [config.shutdownGracePeriod, config.shutdownGracePeriodCriticalPods].some((t) => seconds(t ?? "0"))
        ? "shutdownGracePeriodByPodPriority cannot be set together with shutdownGracePeriod"
        : undefined,
  },
  {
    fields: ["maxParallelImagePulls", "serializeImagePulls"],
    // Left out, serializeImagePulls follows: false when more than one may be pulled.
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
      if (new Set(enforced).size < enforced.length) return "enforceNodeAllocatable names something twice";
      if (enforced.includes("none")) return enforced.length > 1 ? "enforceNodeAllocatable is none and more" : undefined;
      for (const what of ENFORCED) {
        const [plain, compressible] = [enforced.includes(what), enforced.includes(`${what}-compressible`)];
        if (plain && compressible) return `enforceNodeAllocatable has both ${what} and ${what}-compressible`;
        if ((plain || compressible) && !cgroups[what])
          return `enforceNodeAllocatable with ${what} needs ${what === "system-reserved" ? "systemReservedCgroup" : "kubeReservedCgroup"}`;
      }
      return enforced.length && !cgroupsPerQOS
        ? 'enforceNodeAllocatable needs cgroupsPerQOS: true, and without that must be ["none"]'
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
      seconds(period) !== 0.1 && isGateOn("CustomCPUCFSQuotaPeriod", featureGates, minor) === false
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
    // 0.9 was the default up to 1.36, so a kubelet without the gate still takes it.
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
    problem: ({ featureGates = {} }, minor) => brokenGates(featureGates, minor),
  },
  {
    fields: ["logging"],
    problem: ({ logging }) =>
      logging?.vmodule?.length && logging.format === "json" ? "logging.vmodule needs logging.format: text" : undefined,
  },
];
