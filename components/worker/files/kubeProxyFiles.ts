import { PATHS } from "../../cluster/names";
import type { HostFile } from "../../host/hostFiles";
import { renderKubeProxyConfig, renderKubeProxyUnit } from "../../kubeProxy/kubeProxyConfig";
import type { MachineSettings } from "../../spec/resolve";

/** The config and unit of kube-proxy in mode `unit`, which the step kubelet writes. The step kube-proxy writes the credential. */
export function kubeProxyFiles({ kubeProxy, kubernetesVersion, name }: MachineSettings): HostFile[] {
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
