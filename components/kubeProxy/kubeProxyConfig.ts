import { isIPv6 } from "node:net";
import { stringify } from "yaml";
import { binariesOf, PATHS } from "../cluster/names";
import type { KubeProxyConfiguration } from "../spec/specs";
import { merge } from "../validation/maps";

const HEALTH_PORT = 10256;
const METRICS_PORT = 10249;
/** The ports that kube-proxy listens on. */
export const KUBE_PROXY_PORTS = [METRICS_PORT, HEALTH_PORT] as const;

export interface KubeProxyConfigArgs {
  /** Name of the Node. Without it, kube-proxy needs the flag `--hostname-override`. */
  readonly nodeName?: string;
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;
  /** The pods' network: one CIDR, or one of each address family with a comma between them. */
  readonly clusterCidr: string;
  /** KubeProxyConfiguration fields that override this module's defaults. */
  readonly settings: KubeProxyConfiguration;
}

/**
 * Renders kube-proxy's config file.
 *
 * Metrics are open to the host only (CIS Kubernetes Benchmark: metricsBindAddress). The health check is open to the network, as in the
 * defaults of Kubernetes, because load balancers use it.
 *
 * @see https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
 */
export function renderKubeProxyConfig({ nodeName, kubeconfig, clusterCidr, settings }: KubeProxyConfigArgs): string {
  const [any, loopback] = isIPv6(clusterCidr.split("/")[0]) ? ["::", "::1"] : ["0.0.0.0", "127.0.0.1"];
  const port = (address: string, number: number) =>
    isIPv6(address) ? `[${address}]:${number}` : `${address}:${number}`;
  const defaults = {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    ...(nodeName && { hostnameOverride: nodeName }),
    clientConnection: { kubeconfig },
    bindAddress: any,
    healthzBindAddress: port(any, HEALTH_PORT),
    metricsBindAddress: port(loopback, METRICS_PORT),
    clusterCIDR: clusterCidr,
  };
  return stringify(merge(defaults, settings), { lineWidth: 0 });
}

/**
 * Renders kube-proxy's systemd unit. kube-proxy may write rules, kernel settings, and below /run, which has the lock of iptables. The path
 * of the binary contains its version, as in the kubelet's unit.
 */
export function renderKubeProxyUnit(kubernetesVersion: string): string {
  return `[Unit]
Description=kube-proxy, which makes Services reachable on this node
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/
Wants=network-online.target
After=network-online.target
# While the API server is away kube-proxy may end again and again; systemd must never give up on it.
StartLimitIntervalSec=0
ConditionPathExists=${PATHS.kubeProxyKubeconfig}

[Service]
ExecStart=${binariesOf(kubernetesVersion)}/kube-proxy --config=${PATHS.kubeProxyConfig}
Restart=always
RestartSec=2
NoNewPrivileges=true
ProtectSystem=strict
ReadWritePaths=/run
ProtectHome=true
PrivateTmp=true

[Install]
WantedBy=multi-user.target
`;
}
