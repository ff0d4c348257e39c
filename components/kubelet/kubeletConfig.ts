import { stringify } from "yaml";
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { PATHS } from "../cluster/names";
import type { Check } from "../validation/refuse";

/** Fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) that a pool or worker sets over the defaults of this module. */
export type KubeletSettings = KubeletConfiguration;

export interface KubeletConfigArgs {
  /** DNS domain of the cluster. */
  readonly clusterDomain: string;
  /** Addresses of the cluster's DNS service. */
  readonly clusterDns: readonly string[];
  /** The container runtime's CRI socket, `unix:///…`. */
  readonly containerRuntimeEndpoint: string;
  /** `issued`: the files of this module. `requested`: the kubelet asks the cluster for it. */
  readonly servingCertificate: "issued" | "requested";
  readonly settings?: KubeletSettings;
}

/** TLS 1.2 suites with forward secrecy and authenticated encryption (CIS 4.2); TLS 1.3 has its own and no choice. */
const CIPHER_SUITES = [
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
];

/** What a pool cannot change: the promises of this module, with the reason shown to whoever tries. */
const FIXED: readonly [path: string, value: unknown, why: string][] = [
  ["apiVersion", "kubelet.config.k8s.io/v1beta1", "it is the only version that kubelets read"],
  ["kind", "KubeletConfiguration", "the file holds nothing else"],
  ["authentication.anonymous.enabled", false, "anonymous requests to a kubelet can run commands in pods"],
  ["authentication.webhook.enabled", true, "the API server's identity is checked by it"],
  ["authentication.x509.clientCAFile", PATHS.ca, "the file is written by this module"],
  ["authorization.mode", "Webhook", "AlwaysAllow lets every client run commands in pods"],
  ["readOnlyPort", 0, "the read-only port shows pods and their environment to the network"],
  ["rotateCertificates", true, "without it the node drops out of the cluster when its first certificate ends"],
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
    ...(args.servingCertificate === "issued"
      ? { serverTLSBootstrap: false, tlsCertFile: PATHS.servingCertificate, tlsPrivateKeyFile: PATHS.servingKey }
      : { serverTLSBootstrap: true }),
    tlsMinVersion: "VersionTLS12",
    tlsCipherSuites: CIPHER_SUITES,
    healthzBindAddress: "127.0.0.1",
    clusterDomain: args.clusterDomain,
    clusterDNS: args.clusterDns,
    resolvConf: PATHS.resolvConf,
    containerRuntimeEndpoint: args.containerRuntimeEndpoint,
    cgroupDriver: "systemd",
    runtimeRequestTimeout: "15m0s",
    streamingConnectionIdleTimeout: "5m0s",
    makeIPTablesUtilChains: true,
    eventRecordQPS: 50,
    podPidsLimit: 4096,
    seccompDefault: true,
    failSwapOn: true,
  };
}

/** The kubelet's config file: the defaults, and over them the settings of pool and worker. */
export function renderKubeletConfig(args: KubeletConfigArgs): string {
  return stringify(merge(defaults(args), args.settings ?? {}), { lineWidth: 0 });
}

/** Maps are merged key by key; anything else, lists too, is taken whole from `over`. */
export function merge<T extends object>(under: T, over: object): T {
  const merged = { ...under } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isMap(below) && isMap(value) ? merge(below, value) : value;
  }
  return merged as T;
}

export const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Settings that would break a promise of this module, as problems below `where`. */
export function checkKubeletSettings(where: string, settings: object): Check[] {
  return FIXED.map(([path, value, why]): Check => {
    const given = path.split(".").reduce<unknown>((at, key) => (isMap(at) ? at[key] : undefined), settings);
    const wrong = given !== undefined && given !== value;
    return [`${where}.${path}`, wrong ? `cannot be ${JSON.stringify(given)}: ${why}` : undefined];
  });
}

/** Whether the kubelet tolerates swap: then the host keeps it. */
export const keepsSwap = (settings: KubeletSettings): boolean => settings.failSwapOn === false;

/** Whether the kubelet runs on a host with control groups v1; from 1.35 on only where it is told to. */
export const allowsCgroupV1 = ({ failCgroupV1 }: KubeletSettings, kubernetesVersion: string): boolean =>
  typeof failCgroupV1 === "boolean" ? !failCgroupV1 : Number(kubernetesVersion.split(".")[1]) < 35;

/** The ports that the kubelet listens on: for the API server, and for its own health unless that is off. */
export const portsOf = ({ port = 10250, healthzPort = 10248 }: KubeletSettings): unknown[] =>
  [port, healthzPort].filter((number) => number !== 0);
