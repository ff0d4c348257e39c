/** How Services become reachable on the workers. */
import { z } from "zod";
import * as rules from "../validation/rules";
import { ruledString } from "../validation/ruledString";

const duration = (meaning: string) =>
  ruledString(rules.goDuration).optional().describe(`${meaning}, such as \`24h0m0s\`.`);

const ruleFields = {
  masqueradeBit: z.int().min(0).max(31).optional().describe("Bit of the packet mark that asks for SNAT."),
  masqueradeAll: z.boolean().optional().describe("SNAT every packet to a Service."),
  syncPeriod: duration("Longest time between two writes of the rules"),
  minSyncPeriod: duration("Shortest time between two writes of the rules"),
};

/**
 * The fields of KubeProxyConfiguration that depend on the machines.
 * @see https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/proxy/apis/kubeproxy/validation/validation.go for the bounds
 */
const config = z
  .strictObject({
    mode: z
      .enum(["iptables", "nftables"])
      .optional()
      .describe(
        "What kube-proxy makes its rules with. Default: `iptables`. `nftables` needs Linux 5.13 and nft 1.0.1.",
      ),
    nodePortAddresses: z
      .union([z.array(ruledString(rules.cidr)), z.tuple([z.literal("primary")])], {
        error: "must be CIDRs, or ['primary'] alone",
      })
      .optional()
      .meta({ ts: "string[]" })
      .describe('CIDRs of the node addresses that accept connections to NodePorts, or `["primary"]`.'),
    conntrack: z
      .strictObject({
        maxPerCore: z
          .int()
          .min(0)
          .optional()
          .describe(
            "Kernel limit of tracked connections for each processor. `0` leaves the limit alone, as a node in a container needs it.",
          ),
        min: z
          .int()
          .min(0)
          .optional()
          .describe("Smallest limit of tracked connections, whatever the number of processors."),
        tcpEstablishedTimeout: duration("How long an idle TCP connection is tracked"),
        tcpCloseWaitTimeout: duration("How long a TCP connection in CLOSE_WAIT is tracked"),
        tcpBeLiberal: z.boolean().optional().describe("Accept TCP packets outside the window."),
        udpTimeout: duration("How long a UDP flow without an answer is tracked"),
        udpStreamTimeout: duration("How long an answered UDP flow is tracked"),
      })
      .meta({ id: "KubeProxyConntrackSettings" })
      .optional()
      .describe("Connection tracking."),
    iptables: z
      .strictObject({
        ...ruleFields,
        localhostNodePorts: z.boolean().optional().describe("Accept connections to NodePorts on 127.0.0.1."),
      })
      .meta({ id: "KubeProxyIptablesSettings" })
      .optional()
      .describe("iptables rules. With `mode: iptables`."),
    nftables: z
      .strictObject(ruleFields)
      .meta({ id: "KubeProxyNftablesSettings" })
      .optional()
      .describe("nftables rules. With `mode: nftables`."),
  })
  .superRefine(({ mode = "iptables", ...sections }, context) => {
    const unused = mode === "iptables" ? "nftables" : "iptables";
    if (sections[unused])
      context.addIssue({ code: "custom", path: [unused], message: `has no effect with the mode '${mode}': remove it` });
  })
  .meta({ id: "KubeProxyConfiguration" });

const shared = {
  image: ruledString(rules.image)
    .optional()
    .describe("With `daemonset`: the image. Default: `registry.k8s.io/kube-proxy:v<kubernetesVersion>`."),
  config: config.default({}).describe("KubeProxyConfiguration fields that override this module's defaults."),
};

const clusterCidr = ruledString(rules.clusterCidr);

const CLUSTER_CIDR =
  "The pods' network: one CIDR, or one of each address family with a comma between them. Required unless `off`. The first one's family is that of the health check and metrics.";

const mode = <T extends string>(value: T) =>
  z
    .literal(value)
    .describe(
      "How kube-proxy runs. `off`: this module runs none. `unit`: a systemd unit on each worker. `daemonset`: pods on the workers of this stack.",
    );

/** A kube-proxy needs the pods' network: it masquerades what reaches a Service from elsewhere. */
const required = z
  .string({
    error: ({ input }) => (input === undefined ? "is required: the pods' network, such as 10.244.0.0/16" : undefined),
  })
  .pipe(clusterCidr)
  .describe(CLUSTER_CIDR);

export const kubeProxySchema = z
  .discriminatedUnion(
    "mode",
    [
      z.strictObject({ mode: mode("off"), clusterCidr: clusterCidr.optional().describe(CLUSTER_CIDR), ...shared }),
      z.strictObject({ mode: mode("unit"), clusterCidr: required, ...shared }),
      z.strictObject({ mode: mode("daemonset"), clusterCidr: required, ...shared }),
    ],
    { error: ({ code }) => (code === "invalid_union" ? "must be off, unit or daemonset" : undefined) },
  )
  .meta({ id: "KubeProxySpec" });

type KubeProxySetting = z.output<typeof kubeProxySchema>;
/** A kube-proxy that this module runs. */
export type RunningKubeProxy = Exclude<KubeProxySetting, { mode: "off" }>;
