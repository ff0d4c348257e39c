/**
 * What TypeScript tells the scripts on a host, as files of shell variables. Each script reads one of these files. A test compares the names with those that the
 * scripts use.
 */
import type { ServingMode } from "../spec/servingSchema";

/** `/etc/tls-bootstrap/host.conf`, for the step `host`. Lists are words with blanks between. A variable that is missing is empty. */
export interface HostConf extends ProxyConf, RuntimeConf, AirGapConf {
  readonly KUBERNETES_VERSION: string;
  /** Base URL of the Kubernetes binaries, or a folder of the unpacked air-gap archive. */
  readonly DOWNLOAD_URL: string;
  readonly BIN_DIR: string;
  readonly API_SERVER: string;
  readonly NODE_NAME: string;
  readonly NODE_ADDRESS: string;
  /** Ports that kubelet and kube-proxy listen on. */
  readonly PORTS: string;
  /** CRI socket of the container runtime. */
  readonly RUNTIME_SOCKET: string;
  readonly BINARIES: string;
  /** Commands that the host must have. */
  readonly TOOLS: string;
  readonly SERVING_MODE: ServingMode;
  /** subjectAltName of the serving certificate, in openssl's notation. */
  readonly SERVING_NAMES: string;
  /** The command that runs this step again. */
  readonly REPLACE_COMMAND: string;
  readonly SWAP: "keep" | "off";
  readonly CGROUP_V1: "allow" | "refuse";
  readonly CGROUP_DRIVER: string;
  /** Base URL of the runtime's releases, or a folder of the unpacked air-gap archive. */
  readonly RUNTIME_URL?: string;
}

/** HTTP proxy for downloads and packages. */
export interface ProxyConf {
  readonly http_proxy?: string;
  readonly https_proxy?: string;
  readonly no_proxy?: string;
}

/** What `runtime.sh` is told. */
export interface RuntimeConf {
  readonly RUNTIME: string;
  /** Whether this module writes containerd's settings. */
  readonly CONFIGURE: "yes" | "no";
  /** Registries that have mirrors. */
  readonly REGISTRIES: string;
  readonly CONTAINERD_VERSION?: string;
  readonly CONTAINERD_FILE?: string;
  readonly CONTAINERD_SUMS?: string;
  readonly CONTAINERD_SHA256?: string;
  readonly RUNC_VERSION?: string;
  readonly RUNC_FILE?: string;
  readonly RUNC_SUMS?: string;
  readonly RUNC_SHA256?: string;
  readonly CNI_VERSION?: string;
  readonly CNI_FILE?: string;
  readonly CNI_SUMS?: string;
  readonly CNI_SHA256?: string;
}

/** The air-gap archive of a host that downloads nothing. */
export interface AirGapConf {
  /** SHA-256 of the list in the air-gap archive. */
  readonly AIR_GAP?: string;
  /** User whose home has the archive. */
  readonly AIR_GAP_USER?: string;
  readonly AIR_GAP_FILE?: string;
  readonly AIR_GAP_DIR?: string;
  /** The command that sends the archive again. */
  readonly AIR_GAP_COMMAND?: string;
}

/** `/etc/tls-bootstrap/node.conf`, for the steps `kubelet` and `join`. */
export interface NodeConf {
  readonly NODE_NAME: string;
  readonly GENERATION: string;
  readonly API_SERVER: string;
  /** Path of kubectl in the kubelet's version. */
  readonly KUBECTL: string;
  /** The command that mints a new token. */
  readonly MINT_COMMAND: string;
  readonly KUBE_PROXY: "off" | "unit" | "daemonset";
}

/** A file of shell variables. The values are text. */
export function renderConf(conf: HostConf | NodeConf | Readonly<Record<string, string>>): string {
  return Object.entries(conf as Readonly<Record<string, string>>)
    .map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join("");
}
