import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { CONTAINERD_SOCKET } from "../../cluster/names";
import { checksumsOf } from "../../downloads/checksums";
import { binaryNames, binaryPath } from "../../downloads/downloads";
import { allowsCgroupV1, cgroupDriverOf, keepsSwap, portsOf } from "../../kubelet/kubeletConfig";
import { KUBE_PROXY_PORTS } from "../../kubeProxy/kubeProxyConfig";
import { proxyVariables } from "../../runtime/containerd";
import { ARCHITECTURES } from "../../runtime/releases";
import { runtimeFiles, runtimeInUse, runtimeVariables } from "../../runtime/runtimeFiles";
import { servingNamesOf } from "../../serving/servingNames";
import type { ResolvedWorker } from "../../spec/resolve";
import type { HostConf } from "../../host/hostConf";
import { renderHostScript } from "../hostScript";
import { airGapVariables, downloadSites } from "./airGapStep";
import { commandLines, commonArgs, machineOf, replaceCommand, type StepContext } from "./step";

/** Checks the VM, prepares its kernel, and installs the Kubernetes binaries and the container runtime. */
export function prepareHost(context: StepContext, archive: remote.CopyToRemote | undefined): remote.Command {
  const { name, worker, owner, parent } = context;
  const run = commandLines(context);
  const script = pulumi
    .all([worker.cluster, worker.nodeAddress, owner])
    .apply(([{ server }, nodeAddress, urn]) =>
      renderHostScript(
        hostConf(context, { server, nodeAddress, urn }),
        runtimeFiles(worker.runtime, runtimeArgsOf(worker)),
      ),
    );
  return new remote.Command(
    `${name}-host`,
    { ...commonArgs(context), create: run.script("create"), update: run.script("update"), stdin: script },
    { parent, dependsOn: archive ? [archive] : [], replacementTrigger: machineOf(worker) },
  );
}

/** The command that prepares the host again. */
export const rejoinCommand = (context: StepContext): string =>
  replaceCommand(context, context.worker.airGap === undefined ? ["host"] : ["host", "air-gap"]);

/** What the runtime's files depend on, besides the runtime's own settings. */
export const runtimeArgsOf = ({ kubelet, proxy }: ResolvedWorker) => ({ cgroupDriver: cgroupDriverOf(kubelet), proxy });

function hostConf(
  context: StepContext,
  { server, nodeAddress, urn }: { readonly server: string; readonly nodeAddress: string; readonly urn: string },
): HostConf {
  const { worker } = context;
  const { kubelet, kubernetesVersion, runtime, drain } = worker;
  const names = servingNamesOf(worker.name, nodeAddress);
  const sites = downloadSites(context);
  return {
    KUBERNETES_VERSION: kubernetesVersion,
    DOWNLOAD_URL: sites.kubernetes,
    KUBERNETES_SHA256: pinnedBinaries(worker).join(" "),
    BIN_DIR: worker.binDir,
    API_SERVER: server,
    OWNER: urn,
    NODE_NAME: worker.name,
    NODE_ADDRESS: nodeAddress,
    PORTS: [...portsOf(kubelet), ...(worker.kubeProxy.mode === "unit" ? KUBE_PROXY_PORTS : [])].join(" "),
    RUNTIME_SOCKET: CONTAINERD_SOCKET,
    BINARIES: binaryNames(worker.kubeProxy).join(" "),
    TOOLS: requiredTools(worker).join(" "),
    SERVING_MODE: worker.servingCertificates.mode,
    SERVING_NAMES: [...names.dns.map((dns) => `DNS:${dns}`), ...names.ips.map((ip) => `IP:${ip}`)].join(", "),
    REPLACE_COMMAND: rejoinCommand(context),
    SWAP: keepsSwap(kubelet) ? "keep" : "off",
    CGROUP_V1: allowsCgroupV1(kubelet, kubernetesVersion) ? "allow" : "refuse",
    CGROUP_DRIVER: cgroupDriverOf(kubelet),
    DRAIN_SECONDS: String(drain.timeoutSeconds),
    BARE_PODS: drain.barePods,
    EMPTY_DIR_DATA: drain.emptyDirData,
    PAUSE_SECONDS: String(worker.pauseSeconds),
    ...proxyVariables(worker.proxy),
    ...runtimeVariables(runtime),
    ...runtimeInUse(runtime, runtimeArgsOf(worker)),
    ...(runtime.type === "tarball" && { RUNTIME_URL: sites.releases }),
    ...airGapVariables(context),
  };
}

/** The pinned checksums of a worker's binaries. */
const pinnedBinaries = ({ kubernetesVersion, kubeProxy, checksums }: ResolvedWorker): string[] =>
  binaryNames(kubeProxy).flatMap((name) =>
    ARCHITECTURES.flatMap((architecture) => {
      const sha256 = checksumsOf(checksums).get(binaryPath(kubernetesVersion, architecture, name));
      return sha256 ? [`${name}:${architecture}:${sha256}`] : [];
    }),
  );

/** Commands that the host must have before the step. The packages of containerd install iptables. */
const requiredTools = ({ kubeProxy, runtime, servingCertificates, airGap }: ResolvedWorker): string[] => [
  ...(kubeProxy.mode === "unit" && runtime.type !== "package" ? ["iptables"] : []),
  ...(servingCertificates.mode === "issued" ? ["openssl"] : []),
  ...(airGap === undefined ? [] : ["tar"]),
];
