import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { binariesOf, CONTAINERD_SOCKET, PATHS } from "../../cluster/names";
import { renderKubeletConfig } from "../../kubelet/kubeletConfig";
import { renderKubeletUnit } from "../../kubelet/kubeletUnit";
import { renderConf } from "../../host/hostConf";
import { type HostFile, renderBundle } from "../../host/hostFiles";
import type { Cluster } from "../../spec/resolve";
import { runtimeInUse } from "../../runtime/runtimeFiles";
import { runtimeArgsOf } from "./hostStep";
import { kubeProxyFiles } from "./kubeProxyStep";
import { commandLines, commonArgs, type StepContext } from "./step";

/** The files that the step kubelet writes. */
export function kubeletFiles(context: StepContext): pulumi.Output<HostFile[]> {
  const { worker, owner } = context;
  return pulumi.all([worker.cluster, worker.nodeAddress, owner]).apply(([cluster, nodeAddress, urn]) => [
    ...trustFiles(cluster, urn, context),
    {
      path: PATHS.kubeletConfig,
      mode: "0600",
      text: renderKubeletConfig({
        clusterDomain: worker.clusterDomain,
        clusterDns: worker.clusterDns,
        containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
        servingMode: worker.servingCertificates.mode,
        hasClientCa: cluster.clientCa !== cluster.ca,
        settings: worker.kubelet,
      }),
      restarts: "kubelet",
    },
    {
      path: PATHS.kubeletUnit,
      mode: "0600",
      text: renderKubeletUnit({
        kubernetesVersion: worker.kubernetesVersion,
        nodeName: worker.name,
        nodeAddress,
        flags: worker.kubeletFlags,
      }),
      restarts: "kubelet",
    },
    ...kubeProxyFiles(worker),
  ]);
}

/** The cluster's CAs, and the variables of the node for the scripts. */
function trustFiles(
  { server, ca, clientCa }: Cluster,
  urn: string,
  { worker, mintCommand, joinPolicyName }: StepContext,
): HostFile[] {
  return [
    caFile(PATHS.ca, ca),
    ...(clientCa !== ca ? [caFile(PATHS.clientCa, clientCa)] : []),
    {
      path: PATHS.nodeConf,
      mode: "0644",
      text: renderConf({
        OWNER: urn,
        NODE_NAME: worker.name,
        GENERATION: String(worker.generation),
        API_SERVER: server,
        KUBECTL: `${binariesOf(worker.kubernetesVersion)}/kubectl`,
        MINT_COMMAND: mintCommand,
        JOIN_POLICY: joinPolicyName ?? "off",
        KUBE_PROXY: worker.kubeProxy.mode,
        ...runtimeInUse(worker.runtime, runtimeArgsOf(worker)),
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

/** Writes the files and restarts the kubelet when they change. The files' text is the input, so a preview shows the lines that change. */
export function writeKubeletFiles(
  context: StepContext,
  files: pulumi.Output<HostFile[]>,
  host: remote.Command,
  dependsOn: pulumi.Resource[],
): remote.Command {
  const { name, parent } = context;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-kubelet`,
    {
      ...commonArgs(context),
      create: run.step("kubelet apply"),
      stdin: files.apply(renderBundle),
      // What was prepared anew gets its files anew.
      triggers: [host.id],
    },
    { parent, dependsOn: [...dependsOn, ...(context.worker.after ? [context.worker.after] : [])] },
  );
}
