/** Everything that a stack can set, but how to reach the cluster. */
import { z } from "zod";
import { apiServerVersion, SUPPORTED_MINORS } from "../kubelet/supportedVersions";
import { DEFAULT_TOKEN_TTL, tokenTtl } from "../tokens/tokenTtl";
import * as rules from "../validation/rules";
import { hiddenString, ruledString, stringInput } from "../validation/ruledString";
import { drainSchema } from "./drainSchema";
import { kubeProxySchema } from "./kubeProxySchema";
import { kubeletSettings, kubernetesVersionSetting, poolSchema } from "./poolSchema";
import { proxySchema, runtimeSchema } from "./runtimeSchema";
import { scaleGroupSchema } from "./scaleGroupSchema";
import { servingSchema } from "./servingSchema";
import { sshSchema } from "./sshSchema";

export const apiServerVersionSetting = ruledString(apiServerVersion, { pattern: "^1\\.\\d+\\.\\d+$" }).describe(
  "Version of the API servers. The preview then refuses a `kubernetesVersion` that is a newer minor, or more than three minors older. While the API servers have different versions, set the oldest one.",
);

export const clientCaSetting = hiddenString(rules.caCertificates).describe(
  "PEM certificates of the CA that signed the API server's client certificate for kubelets (kube-apiserver `--kubelet-client-certificate`), where it is not `ca`. Kubelets accept client certificates of this CA only.",
);

/** The API server as workers reach it. */
export const clusterSchema = z
  .strictObject({
    server: stringInput(ruledString(rules.apiServer)).describe("URL of the API server as the workers reach it."),
    ca: stringInput(hiddenString(rules.caCertificates)).describe(
      "PEM certificates of the CA that signed the API server's certificate.",
    ),
    clientCa: stringInput(clientCaSetting).optional(),
    kubernetesVersion: stringInput(apiServerVersionSetting).optional(),
  })
  .meta({ id: "ClusterSpec" });

/** What all workers of a cluster share. */
export const environmentSchema = z
  .strictObject({
    kubernetesVersion: kubernetesVersionSetting.describe(
      `Version of kubelet, kubectl and kube-proxy, 1.${SUPPORTED_MINORS[0]}.x to 1.${SUPPORTED_MINORS.at(-1)}.x. A pool or worker can have a version of its own. kube-proxy as pods has this version on all workers.`,
    ),
    downloadUrl: ruledString(rules.downloadUrl)
      .default("https://dl.k8s.io")
      .describe(
        "Base URL of `/v<version>/bin/linux/<arch>/kubelet` and the other binaries, each with a `.sha256` file beside it.",
      ),
    checksums: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Path of a file with the SHA-256 of the Kubernetes binaries, in the format of sha256sum, by path below `downloadUrl`. `npm run checksums` writes it. Workers then accept no other binaries. Required with a `downloadUrl` of `http://`.",
      ),
    airGap: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Path of an archive with everything that the workers would download. Pulumi sends it over SSH. `npm run air-gap` makes it.",
      ),
    binDir: ruledString(rules.hostFolder)
      .default("/usr/local/bin")
      .describe(
        "Folder on the workers for links to the installed programs. Where /usr is read-only, use another one, such as `/opt/bin`.",
      ),
    proxy: proxySchema
      .prefault({})
      .describe(
        "HTTP proxy for downloads, packages and images. It is written onto the workers, so it has no credentials. Images need a containerd that this module configures. The API server is always reached directly.",
      ),
    runtime: runtimeSchema
      .prefault({ type: "preinstalled" })
      .describe("Container runtime of the workers. A pool's own runtime replaces it as a whole."),
    drain: drainSchema
      .prefault({})
      .describe("How the pods of a node are evicted before it leaves or gets another minor version of Kubernetes."),
    clusterDomain: ruledString(rules.dnsDomain).default("cluster.local").describe("DNS domain of the cluster."),
    clusterDns: z
      .array(ruledString(rules.ip))
      .min(1)
      .default(["10.96.0.10"])
      .describe("Addresses of the cluster's DNS service."),
    kubeProxy: kubeProxySchema
      .prefault({ mode: "off" })
      .describe(
        "kube-proxy of the workers. Off by default: kubeadm brings its own, and some network plugins need none.",
      ),
    servingCertificates: servingSchema
      .prefault({})
      .describe("How kubelet serving certificates are issued, for logs, exec and metrics."),
    ssh: sshSchema.describe("How to log in to the workers."),
  })
  .meta({ id: "EnvironmentSpec" });

export type Environment = z.output<typeof environmentSchema>;

const tokenTtlSetting = ruledString(tokenTtl, { pattern: "^[1-9][0-9]*[mhd]$" })
  .default(DEFAULT_TOKEN_TTL)
  .describe("Lifetime of the pools' bootstrap tokens from their minting, 5m to 30d.");

/** What a stack sets besides {@link environmentSchema}. */
export const bootstrapSchema = z
  .strictObject({
    clusterInfo: z
      .enum(["publish", "off"])
      .default("publish")
      .describe(
        "The ConfigMap kube-public/cluster-info. `publish`: it exists, for joiners that know only a token; one that kubeadm or another tool has published stays as it is. `off`: it is left alone.",
      ),
    bindings: z
      .strictObject({
        mode: z
          .enum(["create", "existing"])
          .default("create")
          .describe(
            "Whether this module declares the bindings. `create`: it does. `existing`: the cluster has them, for example from kubeadm.",
          ),
        group: ruledString(rules.bindingGroup)
          .optional()
          .describe(
            "Group that the bindings are made to. All tokens carry it. Default: the tokens' own groups; with `existing`, kubeadm's group `system:bootstrappers:kubeadm:default-node-token`.",
          ),
      })
      .meta({ id: "BindingsSpec" })
      .prefault({})
      .describe("The three ClusterRoleBindings that let tokens request certificates and have them approved."),
    joinPolicy: z
      .enum(["enforce", "off"])
      .default("enforce")
      .describe(
        "Which node names a token may claim. `enforce`: the names of its own pool, and never the name of a Ready node. `off`: any name, as without this module.",
      ),
    tokenTtl: tokenTtlSetting,
    kubelet: kubeletSettings.default({}).describe("KubeletConfiguration fields for all pools."),
    pools: z.array(poolSchema).min(1).describe("The pools of workers."),
    scaleGroups: z
      .array(scaleGroupSchema)
      .default([])
      .describe("Groups of machines that come and go by themselves, and their tokens."),
  })
  .meta({ id: "BootstrapSpec" });
