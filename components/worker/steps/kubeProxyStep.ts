import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { PATHS } from "../../cluster/names";
import { renderKubeProxyConfig, renderKubeProxyUnit } from "../../kubeProxy/kubeProxyConfig";
import type { ResolvedWorker } from "../../spec/resolve";
import type { HostFile } from "../../host/hostFiles";
import { commandLines, commonArgs, type StepContext } from "./step";

/** The config and unit of kube-proxy in mode `unit`, which the step kubelet writes. The step kube-proxy writes the credential. */
export function kubeProxyFiles({ kubeProxy, kubernetesVersion, name }: ResolvedWorker): HostFile[] {
  if (kubeProxy.mode !== "unit") return [];
  return [
    {
      path: PATHS.kubeProxyConfig,
      mode: "0600",
      text: renderKubeProxyConfig({
        nodeName: name,
        kubeconfig: PATHS.kubeProxyKubeconfig,
        clusterCidr: kubeProxy.clusterCidr,
        settings: kubeProxy.config,
      }),
      restarts: "kube-proxy",
    },
    {
      path: PATHS.kubeProxyUnit,
      mode: "0600",
      text: renderKubeProxyUnit(kubernetesVersion),
      restarts: "kube-proxy",
    },
  ];
}

/** Writes kube-proxy's credential and enables its unit. Undefined unless the mode is `unit`. The step kubelet removes both with the unit. */
export function startKubeProxy(
  context: StepContext,
  kubeconfig: pulumi.Input<string> | undefined,
  kubelet: remote.Command,
): remote.Command | undefined {
  const { name, worker, parent } = context;
  if (worker.kubeProxy.mode !== "unit") return undefined;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-kube-proxy`,
    {
      ...commonArgs(context),
      create: run.step("kube-proxy apply"),
      stdin: pulumi.secret(kubeconfig!), // the Worker refuses mode `unit` without it
      triggers: [kubelet.id],
    },
    { parent },
  );
}
