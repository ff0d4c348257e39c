/** What a stack says about kube-proxy, and the shape of it. */
import { z } from "zod";
import * as rules from "../validation/rules";
import { by } from "../validation/strings";

/** How Services become reachable on the workers. */
export interface KubeProxySpec {
  /**
   * `off`: not by this module; kubeadm brings a kube-proxy of its own, and some CNI plugins need none. `unit`: as a systemd unit on each worker.
   * `daemonset`: as pods on the workers of this stack.
   * @default "off"
   */
  readonly mode?: "off" | "unit" | "daemonset";
  /**
   * The pods' network: a CIDR, or one of each address family with a comma between; the first one's family is that of the health check and the metrics. What comes from
   * elsewhere to a Service is masqueraded. Required unless `off`.
   */
  readonly clusterCidr?: string;
  /**
   * Image of the `daemonset`, with a tag or digest.
   * @default "registry.k8s.io/kube-proxy:v<kubernetesVersion>"
   */
  readonly image?: string;
  /** KubeProxyConfiguration fields over the module's defaults. */
  readonly config?: KubeProxySettings;
}

/**
 * The fields of KubeProxyConfiguration that depend on the machines.
 * @see https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
 */
export interface KubeProxySettings {
  /** CIDRs of the addresses that take connections to NodePorts, or `["primary"]`. */
  readonly nodePortAddresses?: readonly string[];
  readonly conntrack?: {
    /** The kernel's limit of tracked connections for each processor; `0` leaves it alone, as nodes that are containers need it. */
    readonly maxPerCore?: number;
    /** The least limit, whatever the number of processors. */
    readonly min?: number;
    /** Go durations, such as `24h0m0s`. */
    readonly tcpEstablishedTimeout?: string;
    readonly tcpCloseWaitTimeout?: string;
    readonly tcpBeLiberal?: boolean;
    readonly udpTimeout?: string;
    readonly udpStreamTimeout?: string;
  };
  readonly iptables?: {
    readonly masqueradeBit?: number;
    readonly masqueradeAll?: boolean;
    readonly localhostNodePorts?: boolean;
    /** Go durations. */
    readonly syncPeriod?: string;
    readonly minSyncPeriod?: string;
  };
}

const duration = by(rules.goDuration);

/** @see https://github.com/kubernetes/kube-proxy/blob/master/config/v1alpha1/types.go for the fields and pkg/proxy/apis/config/validation for their bounds */
const settings = z.strictObject({
  nodePortAddresses: z
    .union([z.array(by(rules.cidr)), z.tuple([z.literal("primary")])], { error: "must be CIDRs, or ['primary'] alone" })
    .optional(),
  conntrack: z
    .strictObject({
      maxPerCore: z.int().min(0).optional(),
      min: z.int().min(0).optional(),
      tcpEstablishedTimeout: duration.optional(),
      tcpCloseWaitTimeout: duration.optional(),
      tcpBeLiberal: z.boolean().optional(),
      udpTimeout: duration.optional(),
      udpStreamTimeout: duration.optional(),
    })
    .optional(),
  iptables: z
    .strictObject({
      masqueradeBit: z.int().min(0).max(31).optional(),
      masqueradeAll: z.boolean().optional(),
      localhostNodePorts: z.boolean().optional(),
      syncPeriod: duration.optional(),
      minSyncPeriod: duration.optional(),
    })
    .optional(),
}) satisfies z.ZodType<KubeProxySettings>;

export const kubeProxy = z
  .strictObject({
    mode: z.enum(["off", "unit", "daemonset"]).default("off"),
    clusterCidr: by(rules.clusterCidr).optional(),
    image: by(rules.image).optional(),
    config: settings.optional(),
  })
  .superRefine(({ mode, clusterCidr }, context) => {
    if (mode !== "off" && !clusterCidr)
      context.addIssue({
        code: "custom",
        path: ["clusterCidr"],
        message: "is required: the pods' network, such as 10.244.0.0/16",
      });
  }) satisfies z.ZodType<KubeProxySpec>;
