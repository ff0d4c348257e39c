import { API_SERVER_PORT, type Network, SERVICE_NETWORK } from "../network/addresses";
import type { LabPaths } from "../labPaths";
import { LabError } from "../host/labError";

/** The control plane components, in the order in which they start. */
export const COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
export type ControlPlaneComponent = (typeof COMPONENTS)[number];

export type Flags = Readonly<Record<string, string>>;

const ETCD_CLIENT_PORT = 2379;
const ETCD_PEER_PORT = 2380;
const CONTROLLER_MANAGER_PORT = 10257;
const SCHEDULER_PORT = 10259;

/** Under this name the API server logs in to API servers that it aggregates, such as metrics-server. */
export const FRONT_PROXY_CLIENT = "front-proxy-client";

export const etcdUrl = (network: Network): string => `https://${network.loopback}:${ETCD_CLIENT_PORT}`;

export const apiServerUrl = (network: Network): string => `https://${network.host}:${API_SERVER_PORT}`;

/** The URL at which a component reports whether it is ready. */
export function readinessUrl(component: ControlPlaneComponent, network: Network): string {
  const urls: Readonly<Record<ControlPlaneComponent, string>> = {
    etcd: `${etcdUrl(network)}/health`,
    "kube-apiserver": `${apiServerUrl(network)}/readyz`,
    "kube-controller-manager": `https://${network.loopback}:${CONTROLLER_MANAGER_PORT}/healthz`,
    "kube-scheduler": `https://${network.loopback}:${SCHEDULER_PORT}/healthz`,
  };
  return urls[component];
}

/** The flags with which the lab starts a component. */
export function defaultFlags(component: ControlPlaneComponent, network: Network, paths: LabPaths): Flags {
  const pki = (file: string): string => `${paths.pki}/${file}`;
  const peers = `https://${network.loopback}:${ETCD_PEER_PORT}`;
  const kubeconfig = paths.componentKubeconfig(component);
  /** Flags of a component that is a client of the API server and serves its own health by HTTPS. */
  const client = (name: string, port: number): Flags => ({
    "bind-address": network.loopback,
    "secure-port": String(port),
    "tls-cert-file": pki(`${name}.crt`),
    "tls-private-key-file": pki(`${name}.key`),
    "cert-dir": paths.pki,
    kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "client-ca-file": pki("ca.crt"),
    "leader-elect": "false",
    profiling: "false",
  });
  const flags: Readonly<Record<ControlPlaneComponent, Flags>> = {
    etcd: {
      name: "lab",
      "data-dir": paths.etcd,
      "listen-client-urls": etcdUrl(network),
      "advertise-client-urls": etcdUrl(network),
      "cert-file": pki("etcd.crt"),
      "key-file": pki("etcd.key"),
      "client-cert-auth": "true",
      "trusted-ca-file": pki("etcd-ca.crt"),
      "listen-peer-urls": peers,
      "initial-advertise-peer-urls": peers,
      "initial-cluster": `lab=${peers}`,
      "peer-cert-file": pki("etcd.crt"),
      "peer-key-file": pki("etcd.key"),
      "peer-client-cert-auth": "true",
      "peer-trusted-ca-file": pki("etcd-ca.crt"),
      logger: "zap",
      "log-level": "warn",
    },
    "kube-apiserver": {
      "advertise-address": network.host,
      "bind-address": network.host,
      "secure-port": String(API_SERVER_PORT),
      "tls-cert-file": pki("apiserver.crt"),
      "tls-private-key-file": pki("apiserver.key"),
      "cert-dir": paths.pki,
      "client-ca-file": pki("ca.crt"),
      "etcd-servers": etcdUrl(network),
      "etcd-cafile": pki("etcd-ca.crt"),
      "etcd-certfile": pki("apiserver-etcd-client.crt"),
      "etcd-keyfile": pki("apiserver-etcd-client.key"),
      "kubelet-client-certificate": pki("apiserver-kubelet-client.crt"),
      "kubelet-client-key": pki("apiserver-kubelet-client.key"),
      "kubelet-preferred-address-types": "InternalIP,Hostname",
      "service-account-issuer": "https://kubernetes.default.svc",
      "service-account-key-file": pki("service-account.pub"),
      "service-account-signing-key-file": pki("service-account.key"),
      "service-cluster-ip-range": SERVICE_NETWORK,
      "allow-privileged": "true",
      "authorization-mode": "Node,RBAC",
      "enable-admission-plugins": "NodeRestriction",
      "enable-bootstrap-token-auth": "true",
      "proxy-client-cert-file": pki(`${FRONT_PROXY_CLIENT}.crt`),
      "proxy-client-key-file": pki(`${FRONT_PROXY_CLIENT}.key`),
      "requestheader-client-ca-file": pki("front-proxy-ca.crt"),
      "requestheader-allowed-names": FRONT_PROXY_CLIENT,
      "requestheader-username-headers": "X-Remote-User",
      "requestheader-group-headers": "X-Remote-Group",
      "requestheader-extra-headers-prefix": "X-Remote-Extra-",
      // The API server's machine has routes to pods and no kube-proxy.
      "enable-aggregator-routing": "true",
      profiling: "false",
    },
    "kube-controller-manager": {
      ...client("controller-manager", CONTROLLER_MANAGER_PORT),
      "root-ca-file": pki("ca.crt"),
      "cluster-signing-cert-file": pki("ca.crt"),
      "cluster-signing-key-file": pki("ca.key"),
      "cluster-signing-duration": "24h",
      "service-account-private-key-file": pki("service-account.key"),
      "use-service-account-credentials": "true",
      // Kubernetes leaves the last two off. They sign cluster-info and remove expired bootstrap tokens.
      controllers: "*,bootstrapsigner,tokencleaner",
    },
    "kube-scheduler": client("scheduler", SCHEDULER_PORT),
  };
  return flags[component];
}

/** Parses `--name=value`, or `--name` with the value true. */
export function parseFlag(text: string): readonly [name: string, value: string] | undefined {
  const match = /^--([a-z0-9][a-z0-9-]*)(?:=(.*))?$/s.exec(text);
  return match ? [match[1], match[2] ?? "true"] : undefined;
}

/**
 * The arguments of a component.
 * @param overrides flags such as `--v=3`, which replace a flag or are appended
 */
export function commandLine(flags: Flags, overrides: readonly string[] = []): string[] {
  const changed = Object.fromEntries(overrides.map((text) => parseFlag(text)!));
  return Object.entries({ ...flags, ...changed }).map(([name, value]) => `--${name}=${value}`);
}

/** Flags that differ from the lab's own, by component. */
export type FlagOverrides = Partial<Record<ControlPlaneComponent, string[]>>;

export interface Override {
  readonly component: ControlPlaneComponent;
  readonly flag: string;
}

/** Parses the value of `up --flag`. */
export function parseOverride(text: string): Override {
  const at = text.indexOf("=");
  const component = COMPONENTS.find((candidate) => candidate === text.slice(0, at));
  const flag = text.slice(at + 1);
  if (component === undefined || parseFlag(flag) === undefined) {
    throw new LabError(
      `"${text}" is not <component>=<--flag=value>`,
      "For example: --flag kube-controller-manager=--cluster-signing-duration=15m",
    );
  }
  return { component, flag };
}

/** Adds overrides to those of earlier commands. The last value of a flag counts. */
export function mergeOverrides(remembered: FlagOverrides, added: readonly Override[]): FlagOverrides {
  const merged = { ...remembered };
  for (const { component, flag } of added) {
    const others = (merged[component] ?? []).filter((other) => parseFlag(other)?.[0] !== parseFlag(flag)?.[0]);
    merged[component] = [...others, flag];
  }
  return merged;
}
