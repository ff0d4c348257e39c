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
  /** `issued`: the kubelet uses the files of this module. Otherwise it requests its certificate from the cluster. */
  readonly servingMode: ServingMode;
  /** Fields that override this module's defaults. */
  readonly settings: KubeletConfiguration;
}

/** TLS 1.2 suites with forward secrecy and authenticated encryption (CIS 4.2). TLS 1.3 suites cannot be chosen. */
const CIPHER_SUITES = [
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
];

/** The kubelet's hardened defaults; the order is that of the file. */
function defaults(args: KubeletConfigArgs): Record<string, unknown> {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true, cacheTTL: "2m0s" },
      x509: { clientCAFile: PATHS.ca },
    },
    authorization: { mode: "Webhook" },
    readOnlyPort: 0,
    rotateCertificates: true,
    ...(args.servingMode === "issued"
      ? { serverTLSBootstrap: false, tlsCertFile: PATHS.servingCertificate, tlsPrivateKeyFile: PATHS.servingKey }
      : { serverTLSBootstrap: true }),
    tlsMinVersion: "VersionTLS12",
    tlsCipherSuites: CIPHER_SUITES,
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

/** The kubelet's config file: this module's defaults, overridden by the worker's settings. */
export function renderKubeletConfig(args: KubeletConfigArgs): string {
  return stringify(merge(defaults(args), args.settings), { lineWidth: 0 });
}

/** Whether the kubelet tolerates swap. If it does, the host keeps its swap. */
export const keepsSwap = (settings: KubeletConfiguration): boolean => settings.failSwapOn === false;

/** Whether the kubelet starts on a host with cgroup v1. From Kubernetes 1.35 on it does so only with `failCgroupV1: false`. */
export const allowsCgroupV1 = ({ failCgroupV1 }: KubeletConfiguration, kubernetesVersion: string): boolean =>
  typeof failCgroupV1 === "boolean" ? !failCgroupV1 : minorOf(kubernetesVersion)! < 35;

/** The ports that the kubelet listens on: for the API server, and for its health check unless that is off. */
export const portsOf = ({ port = 10250, healthzPort = 10248 }: KubeletConfiguration): unknown[] =>
  [port, healthzPort].filter((number) => number !== 0);

/** The cgroup driver of kubelet and container runtime, which must be the same. */
export const cgroupDriverOf = ({ cgroupDriver = DEFAULT_CGROUP_DRIVER }: KubeletConfiguration): string => cgroupDriver;

const DEFAULT_CGROUP_DRIVER = "systemd";
