import { stringify } from "yaml";
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { PATHS } from "../cluster/names";
import type { ServingMode } from "../spec/servingSchema";
import { merge } from "../validation/maps";
import { minorOf } from "./kubeletData";

export interface KubeletConfigArgs {
  /** DNS domain of the cluster. */
  readonly clusterDomain: string;
  /** Addresses of the cluster's DNS service. */
  readonly clusterDns: readonly string[];
  /** The container runtime's CRI socket, `unix:///…`. */
  readonly containerRuntimeEndpoint: string;
  /** `issued`: this module writes the kubelet's serving certificate. Otherwise the kubelet requests it from the cluster. */
  readonly servingMode: ServingMode;
  /** Whether the API server that calls the kubelet has a client certificate of another CA than the cluster's. */
  readonly hasClientCa?: boolean;
  /** Fields that override this module's defaults. */
  readonly settings: KubeletConfiguration;
}

/**
 * TLS 1.2 suites with forward secrecy and authenticated encryption (CIS Kubernetes Benchmark 4.2). Go does not let a program choose TLS 1.3
 * suites.
 */
const DEFAULT_CIPHER_SUITES = [
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
];

const DEFAULT_CGROUP_DRIVER = "systemd";

/** This module's hardened defaults, in the order of the file. */
function defaults(args: KubeletConfigArgs): Record<string, unknown> {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true, cacheTTL: "2m0s" },
      x509: { clientCAFile: args.hasClientCa ? PATHS.clientCa : PATHS.ca },
    },
    authorization: { mode: "Webhook" },
    readOnlyPort: 0,
    rotateCertificates: true,
    ...(args.servingMode === "issued"
      ? { serverTLSBootstrap: false, tlsCertFile: PATHS.servingCertificate, tlsPrivateKeyFile: PATHS.servingKey }
      : { serverTLSBootstrap: true }),
    tlsMinVersion: "VersionTLS12",
    tlsCipherSuites: DEFAULT_CIPHER_SUITES,
    healthzBindAddress: "127.0.0.1",
    clusterDomain: args.clusterDomain,
    clusterDNS: args.clusterDns,
    resolvConf: PATHS.resolvConf,
    containerRuntimeEndpoint: args.containerRuntimeEndpoint,
    cgroupDriver: DEFAULT_CGROUP_DRIVER,
    runtimeRequestTimeout: "15m0s",
    streamingConnectionIdleTimeout: "5m0s",
    makeIPTablesUtilChains: true,
    eventRecordQPS: 50,
    podPidsLimit: 4096,
    seccompDefault: true,
    failSwapOn: true,
  };
}

/** Renders the kubelet's config file. The worker's settings override this module's defaults. */
export function renderKubeletConfig(args: KubeletConfigArgs): string {
  return stringify(merge(defaults(args), args.settings), { lineWidth: 0 });
}

/** Whether the host keeps its swap, because the kubelet accepts swap. */
export const keepsSwap = (settings: KubeletConfiguration): boolean => settings.failSwapOn === false;

/** Whether the kubelet starts on a host with cgroup v1. From Kubernetes 1.35 on, this needs `failCgroupV1: false`. */
export const allowsCgroupV1 = ({ failCgroupV1 }: KubeletConfiguration, kubernetesVersion: string): boolean =>
  typeof failCgroupV1 === "boolean" ? !failCgroupV1 : minorOf(kubernetesVersion)! < 35;

/** The ports that the kubelet listens on: its API, and its health check unless `healthzPort` is 0. */
export const portsOf = ({ port = 10250, healthzPort = 10248 }: KubeletConfiguration): unknown[] =>
  [port, healthzPort].filter((number) => number !== 0);

/** The cgroup driver of the kubelet. The container runtime must use the same one. */
export const cgroupDriverOf = ({ cgroupDriver = DEFAULT_CGROUP_DRIVER }: KubeletConfiguration): string => cgroupDriver;
