/** The files of shell variables that the scripts on a host read. A test compares the names with the variables that the scripts use. */
import type { ServingMode } from "../spec/servingSchema";

/** `/etc/tls-bootstrap/host.conf`, which the step `host` writes. Spaces separate the items of a list. A missing variable is empty. */
export interface HostConf extends ProxyConf, RuntimeConf, RuntimeInUse, AirGapConf {
  readonly KUBERNETES_VERSION: string;
  /** Base URL of the Kubernetes binaries, or a folder of the unpacked air-gap archive. */
  readonly DOWNLOAD_URL: string;
  /** List of the pinned binaries, `<name>:<architecture>:<checksum>`. Empty when the site's checksum files count. */
  readonly KUBERNETES_SHA256: string;
  readonly BIN_DIR: string;
  readonly API_SERVER: string;
  /** URN of the worker's resource. The host leaves only for that resource. */
  readonly OWNER: string;
  readonly NODE_NAME: string;
  readonly NODE_ADDRESS: string;
  /** List of the ports that kubelet and kube-proxy listen on. */
  readonly PORTS: string;
  /** CRI socket of the container runtime. */
  readonly RUNTIME_SOCKET: string;
  /** List of Kubernetes binaries to install. */
  readonly BINARIES: string;
  /** List of commands that the host must have. */
  readonly TOOLS: string;
  readonly SERVING_MODE: ServingMode;
  /** subjectAltName of the serving certificate, as openssl writes it: `DNS:…, IP:…`. */
  readonly SERVING_NAMES: string;
  /** The command that runs this step again. */
  readonly REPLACE_COMMAND: string;
  readonly SWAP: "keep" | "off";
  readonly CGROUP_V1: "allow" | "refuse";
  readonly CGROUP_DRIVER: string;
  /** How long the eviction of the node's pods may take. */
  readonly DRAIN_SECONDS: string;
  /** What happens to pods without a controller. */
  readonly BARE_PODS: "refuse" | "delete";
  /** What happens to pods with emptyDir volumes. */
  readonly EMPTY_DIR_DATA: "refuse" | "delete";
  /** How long a changed node must stay healthy before the step `kubelet` ends. */
  readonly PAUSE_SECONDS: string;
  /** Base URL of the runtime's releases, or a folder of the unpacked air-gap archive. */
  readonly RUNTIME_URL?: string;
}

/** HTTP proxy for downloads and packages. */
export interface ProxyConf {
  readonly http_proxy?: string;
  readonly https_proxy?: string;
  readonly no_proxy?: string;
}

/** The container runtime. `…_FILE` and `…_SUMS` are paths below RUNTIME_URL. `…_SHA256` is a list of `<architecture>:<checksum>`. */
export interface RuntimeConf {
  readonly RUNTIME: string;
  /** Whether this module configures containerd. */
  readonly CONFIGURE: "yes" | "no";
  /** List of the registries that have mirrors. */
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

/** What a node's containers run with. It is in node.conf too, because the step `kubelet` brings a node another runtime. */
export interface RuntimeInUse {
  /** Type, and the versions that are set. When they change, the node is drained. */
  readonly RUNTIME_RELEASES: string;
  /** Hash of the runtime's files that need a restart. */
  readonly RUNTIME_SETTINGS: string;
}

/** The air-gap archive of a host that downloads nothing. */
export interface AirGapConf {
  /** SHA-256 of the list in the air-gap archive. */
  readonly AIR_GAP?: string;
  /** User whose home folder has the archive. */
  readonly AIR_GAP_USER?: string;
  /** Path of the archive, below the user's home folder. */
  readonly AIR_GAP_FILE?: string;
  /** Folder to unpack the archive into. */
  readonly AIR_GAP_DIR?: string;
  /** The command that sends the archive again. */
  readonly AIR_GAP_COMMAND?: string;
}

/** `/etc/tls-bootstrap/node.conf`, which the step `kubelet` writes. */
export interface NodeConf extends RuntimeInUse {
  /** See {@link HostConf.OWNER}. */
  readonly OWNER: string;
  readonly NODE_NAME: string;
  readonly GENERATION: string;
  readonly API_SERVER: string;
  /** Path of the kubectl that has the kubelet's version. */
  readonly KUBECTL: string;
  /** The command that mints a new token. */
  readonly MINT_COMMAND: string;
  /** Name of the policy that must deny the token other names, or `off`. */
  readonly JOIN_POLICY: string;
  readonly KUBE_PROXY: "off" | "unit" | "daemonset";
}

/** Renders a file of shell variables. A shell reads every value back unchanged. */
export function renderConf(conf: HostConf | NodeConf | Readonly<Record<string, string>>): string {
  return Object.entries(conf as Readonly<Record<string, string>>)
    .map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join("");
}
