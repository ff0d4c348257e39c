import { createHash } from "node:crypto";
import { DaemonSet } from "@pulumi/kubernetes/apps/v1";
import { ConfigMap } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { renderKubeconfig } from "../cluster/kubeconfig";
import { refuse } from "../validation/refuse";
import { kubeProxySchema, type RunningKubeProxy } from "../spec/kubeProxySchema";
import type { ClusterSpec, KubeProxySpec } from "../spec/specs";
import { problemsOf, REQUIRED } from "../validation/problems";
import { renderKubeProxyConfig } from "./kubeProxyConfig";
import { KubeProxyIdentity } from "./kubeProxyIdentity";

export interface KubeProxyArgs {
  /** The API server as the workers reach it. The `kubernetes` Service is no substitute, because it works only once kube-proxy runs. */
  readonly cluster: ClusterSpec;
  /** The settings of kube-proxy. The mode must be `unit` or `daemonset`. */
  readonly spec: KubeProxySpec;
  /** Version of the image in mode `daemonset`, `1.<minor>.<patch>`. */
  readonly kubernetesVersion: string;
  /** In mode `daemonset`: labels of the nodes that run kube-proxy. */
  readonly nodeLabels: { [label: string]: string };
  /**
   * In mode `daemonset`: labels of more nodes that run kube-proxy.
   * @default none
   */
  readonly otherNodes?: { [label: string]: string }[];
}

/** How long an update waits for the pods. The provider's default of 10 minutes is too long to wait for a dead node. */
const ROLLOUT_TIMEOUT = "5m";

const NAMESPACE = "kube-system";
const CONFIG_FOLDER = "/var/lib/kube-proxy";
const LOCK = "/run/xtables.lock";

/**
 * The cluster's side of kube-proxy: its identity and, in mode `daemonset`, its pods. The pods run only on nodes with `nodeLabels`, because
 * other nodes may have their own kube-proxy.
 *
 * @throws pulumi.RunError with all problems of `spec`, before anything is declared.
 */
export class KubeProxy extends pulumi.ComponentResource {
  /** Secret: the kubeconfig of the unit. Undefined in mode `daemonset`. */
  readonly kubeconfig: pulumi.Output<string> | undefined;

  constructor(name: string, args: KubeProxyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:KubeProxy", name, {}, opts);
    const { cluster, spec, kubernetesVersion, nodeLabels, otherNodes = [] } = args;
    const { data: parsed, error } = kubeProxySchema.safeParse(spec, REQUIRED);
    refuse(`KubeProxy '${name}'`, [
      ...(error ? problemsOf(error, "spec") : []),
      ["spec.mode", parsed?.mode === "off" ? "must be unit or daemonset" : undefined],
    ]);
    const proxy = parsed as RunningKubeProxy;
    const identity = new KubeProxyIdentity(name, { mode: proxy.mode }, { parent: this });
    if (proxy.mode === "unit") {
      this.kubeconfig = identity.kubeconfig(cluster);
    } else {
      const image = proxy.image ?? `registry.k8s.io/kube-proxy:v${kubernetesVersion}`;
      this.#daemonSet(name, cluster, proxy, {
        ...{ image, serviceAccountName: identity.serviceAccountName },
        nodes: selectionOf(nodeLabels, otherNodes),
      });
    }
    this.registerOutputs({});
  }

  #daemonSet(
    name: string,
    cluster: ClusterSpec,
    { clusterCidr, config: settings }: RunningKubeProxy,
    pods: {
      readonly image: string;
      readonly nodes: ReturnType<typeof selectionOf>;
      readonly serviceAccountName: pulumi.Output<string>;
    },
  ) {
    const { image, nodes, serviceAccountName } = pods;
    const data = pulumi.output(cluster).apply((endpoint) => ({
      "config.yaml": renderKubeProxyConfig({
        kubeconfig: `${CONFIG_FOLDER}/kubeconfig.yaml`,
        clusterCidr,
        settings,
      }),
      "kubeconfig.yaml": renderKubeconfig(endpoint, "kube-proxy", {
        tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
      }),
    }));
    const config = new ConfigMap(name, { metadata: { namespace: NAMESPACE, name }, data }, { parent: this });

    const labels = { "app.kubernetes.io/name": "kube-proxy", "app.kubernetes.io/instance": name };
    const container = {
      image,
      env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
    };
    const command = [
      "/usr/local/bin/kube-proxy",
      `--config=${CONFIG_FOLDER}/config.yaml`,
      "--hostname-override=$(NODE_NAME)",
    ];
    const mounts = [{ name: "config", mountPath: CONFIG_FOLDER, readOnly: true }];
    new DaemonSet(
      name,
      {
        metadata: { namespace: NAMESPACE, name, labels },
        spec: {
          selector: { matchLabels: labels },
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
          template: {
            metadata: {
              labels,
              // kube-proxy does not reload its config. A new hash rolls the pods.
              annotations: { "tls-bootstrap/config": data.apply(digest) },
            },
            spec: {
              serviceAccountName,
              priorityClassName: "system-node-critical",
              hostNetwork: true,
              ...nodes,
              tolerations: [{ operator: "Exists" }],
              // Kernel settings need all privileges, rules do not. So an init container, which ends, makes the settings.
              initContainers: [
                {
                  name: "kernel-settings",
                  ...container,
                  command: [...command, "--init-only"],
                  securityContext: { privileged: true },
                  volumeMounts: [...mounts, { name: "modules", mountPath: "/lib/modules", readOnly: true }],
                },
              ],
              containers: [
                {
                  name: "kube-proxy",
                  ...container,
                  command,
                  readinessProbe: { httpGet: { path: "/healthz", port: 10256 }, periodSeconds: 5 },
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    // NET_RAW is for iptables on hosts without nftables.
                    capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
                  },
                  volumeMounts: [...mounts, { name: "lock", mountPath: LOCK }],
                },
              ],
              volumes: [
                { name: "config", configMap: { name: config.metadata.name } },
                { name: "modules", hostPath: { path: "/lib/modules" } },
                { name: "lock", hostPath: { path: LOCK, type: "FileOrCreate" } },
              ],
            },
          },
        },
      },
      { parent: this, customTimeouts: { create: ROLLOUT_TIMEOUT, update: ROLLOUT_TIMEOUT } },
    );
  }
}

type Labels = Readonly<Record<string, string>>;

/** The fields of a pod that select nodes with these labels, and nodes with others. */
function selectionOf(labels: Labels, others: readonly Labels[]) {
  const os = { "kubernetes.io/os": "linux" };
  if (others.length === 0) return { nodeSelector: { ...os, ...labels } };
  const nodeSelectorTerms = [labels, ...others].map((term) => ({
    matchExpressions: Object.entries(term).map(([key, value]) => ({ key, operator: "In", values: [value] })),
  }));
  return {
    nodeSelector: os,
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
}

const digest = (data: object): string => createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 16);
