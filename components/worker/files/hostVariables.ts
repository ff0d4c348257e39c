import { CONTAINERD_SOCKET } from "../../cluster/names";
import { checksumsOf } from "../../downloads/checksums";
import { binaryNames, binaryPath, type siteUrls } from "../../downloads/downloads";
import type { AirGapConf, HostConf } from "../../host/hostConf";
import { allowsCgroupV1, cgroupDriverOf, keepsSwap, portsOf } from "../../kubelet/kubeletConfig";
import { KUBE_PROXY_PORTS } from "../../kubeProxy/kubeProxyConfig";
import { proxyVariables } from "../../runtime/containerd";
import { ARCHITECTURES } from "../../runtime/releases";
import { runtimeInUse, runtimeVariables } from "../../runtime/runtimeFiles";
import { servingNamesOf } from "../../serving/servingNames";
import type { MachineSettings } from "../../spec/resolve";
import type { KubeProxyConfiguration } from "../../spec/specs";

/** What the variables of a host depend on, besides its settings. */
export interface HostFacts {
  /** URL of the API server. */
  readonly server: string;
  readonly nodeAddress: string;
  /** See {@link HostConf.OWNER}. */
  readonly owner: string;
  /** See {@link HostConf.REPLACE_COMMAND}. */
  readonly replaceCommand: string;
  /** The base URL of each site, or its folder on the host. */
  readonly sites: ReturnType<typeof siteUrls>;
  /** For a host that downloads nothing. */
  readonly airGap?: AirGapConf;
}

/** What the runtime's files depend on, besides the runtime's own settings. */
export const runtimeArgsOf = ({ kubelet, proxy }: Pick<MachineSettings, "kubelet" | "proxy">) => ({
  cgroupDriver: cgroupDriverOf(kubelet),
  proxy,
});

/** The variables of `host.conf`. */
export function hostVariables(settings: MachineSettings, facts: HostFacts): HostConf {
  const { name, kubelet, kubernetesVersion, runtime, drain } = settings;
  const { server, nodeAddress, owner, replaceCommand, sites, airGap } = facts;
  const names = servingNamesOf(name, nodeAddress);
  return {
    KUBERNETES_VERSION: kubernetesVersion,
    DOWNLOAD_URL: sites.kubernetes,
    KUBERNETES_SHA256: pinnedBinaries(binaryNames(settings.kubeProxy), settings).join(" "),
    BIN_DIR: settings.binDir,
    API_SERVER: server,
    OWNER: owner,
    NODE_NAME: name,
    NODE_ADDRESS: nodeAddress,
    PORTS: [...portsOf(kubelet), ...(settings.kubeProxy.mode === "unit" ? KUBE_PROXY_PORTS : [])].join(" "),
    RUNTIME_SOCKET: CONTAINERD_SOCKET,
    BINARIES: binaryNames(settings.kubeProxy).join(" "),
    TOOLS: requiredTools(settings).join(" "),
    SERVING_MODE: settings.servingCertificates.mode,
    SERVING_NAMES: [...names.dns.map((dns) => `DNS:${dns}`), ...names.ips.map((ip) => `IP:${ip}`)].join(", "),
    REPLACE_COMMAND: replaceCommand,
    SWAP: keepsSwap(kubelet) ? "keep" : "off",
    CGROUP_V1: allowsCgroupV1(kubelet, kubernetesVersion) ? "allow" : "refuse",
    CGROUP_DRIVER: cgroupDriverOf(kubelet),
    DRAIN_SECONDS: String(drain.timeoutSeconds),
    BARE_PODS: drain.barePods,
    EMPTY_DIR_DATA: drain.emptyDirData,
    PAUSE_SECONDS: String(settings.pauseSeconds),
    ...proxyVariables(settings.proxy),
    ...runtimeVariables(runtime),
    ...runtimeInUse(runtime, runtimeArgsOf(settings)),
    ...(runtime.type === "tarball" && { RUNTIME_URL: sites.releases }),
    ...airGap,
  };
}

/** The pinned checksums of a host's binaries. */
export const pinnedBinaries = (
  names: readonly string[],
  { kubernetesVersion, checksums }: Pick<MachineSettings, "kubernetesVersion" | "checksums">,
): string[] =>
  names.flatMap((name) =>
    ARCHITECTURES.flatMap((architecture) => {
      const sha256 = checksumsOf(checksums).get(binaryPath(kubernetesVersion, architecture, name));
      return sha256 ? [`${name}:${architecture}:${sha256}`] : [];
    }),
  );

/** Commands that the host must have before the step. The packages of containerd install iptables, and not nft. */
const requiredTools = ({ kubeProxy, runtime, servingCertificates, airGap }: MachineSettings): string[] => [
  ...(kubeProxy.mode === "unit" ? proxyTools(kubeProxy.config.mode, runtime.type) : []),
  ...(servingCertificates.mode === "issued" ? ["openssl"] : []),
  ...(airGap === undefined ? [] : ["tar"]),
];

const proxyTools = (mode: KubeProxyConfiguration["mode"], runtime: MachineSettings["runtime"]["type"]): string[] => {
  if (mode === "nftables") return ["nft"];
  return runtime === "package" ? [] : ["iptables"];
};
