import { binariesOf, CONTAINERD_SOCKET, PATHS } from "../../cluster/names";
import { renderConf } from "../../host/hostConf";
import type { HostFile } from "../../host/hostFiles";
import { renderKubeletConfig } from "../../kubelet/kubeletConfig";
import { renderKubeletUnit } from "../../kubelet/kubeletUnit";
import { runtimeInUse } from "../../runtime/runtimeFiles";
import type { Cluster, MachineSettings } from "../../spec/resolve";
import type { Taint } from "../../spec/poolSchema";
import { runtimeArgsOf } from "./hostVariables";
import { kubeProxyFiles } from "./kubeProxyFiles";

/** What the files of a node depend on, besides its settings. */
export interface NodeFacts {
  readonly cluster: Cluster;
  readonly nodeAddress: string;
  /** See {@link HostConf.OWNER}. */
  readonly owner: string;
  /** See {@link NodeConf.MINT_COMMAND}. */
  readonly mintCommand: string;
  /** See {@link WorkerArgs.joinPolicyName}. */
  readonly joinPolicyName?: string;
  /** What the kubelet gives its Node when it makes it. A declared Node has its labels and taints already. */
  readonly registration?: Registration;
}

export interface Registration {
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

/** The files that the step kubelet writes. */
export function kubeletFiles(settings: MachineSettings, facts: NodeFacts): HostFile[] {
  const { cluster, nodeAddress, registration } = facts;
  return [
    ...trustFiles(settings, facts),
    {
      path: PATHS.kubeletConfig,
      mode: "0600",
      text:
        renderKubeletConfig({
          clusterDomain: settings.clusterDomain,
          clusterDns: settings.clusterDns,
          containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
          servingMode: settings.servingCertificates.mode,
          hasClientCa: cluster.clientCa !== cluster.ca,
          settings: settings.kubelet,
        }) + renderTaints(registration?.taints ?? []),
      restarts: "kubelet",
    },
    {
      path: PATHS.kubeletUnit,
      mode: "0600",
      text: renderKubeletUnit({
        kubernetesVersion: settings.kubernetesVersion,
        nodeName: settings.name,
        nodeAddress,
        labels: registration?.labels,
        flags: settings.kubeletFlags,
      }),
      restarts: "kubelet",
    },
    ...kubeProxyFiles(settings),
  ];
}

/** The field of KubeletConfiguration, in one line that the config hash leaves out. */
const renderTaints = (taints: readonly Taint[]): string =>
  taints.length > 0 ? `registerWithTaints: ${JSON.stringify(taints)}\n` : "";

/** The cluster's CAs, and the variables of the node for the scripts. */
function trustFiles(settings: MachineSettings, { cluster, owner, mintCommand, joinPolicyName }: NodeFacts): HostFile[] {
  const { server, ca, clientCa } = cluster;
  return [
    caFile(PATHS.ca, ca),
    ...(clientCa !== ca ? [caFile(PATHS.clientCa, clientCa)] : []),
    {
      path: PATHS.nodeConf,
      mode: "0644",
      text: renderConf({
        OWNER: owner,
        NODE_NAME: settings.name,
        GENERATION: String(settings.generation),
        API_SERVER: server,
        KUBECTL: `${binariesOf(settings.kubernetesVersion)}/kubectl`,
        MINT_COMMAND: mintCommand,
        JOIN_POLICY: joinPolicyName ?? "off",
        KUBE_PROXY: settings.kubeProxy.mode,
        ...runtimeInUse(settings.runtime, runtimeArgsOf(settings)),
      }),
    },
  ];
}

const caFile = (path: string, certificates: string): HostFile => ({
  path,
  mode: "0644",
  text: `${certificates.trim()}\n`,
  restarts: "kubelet",
});
