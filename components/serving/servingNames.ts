import { isIP } from "node:net";

/** The names in a worker's serving certificate, as the kubelet requests them: the node's name, and the address that it registers. */
export interface ServingNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

/** @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/certificate/kubelet.go addressesToHostnamesAndIPs */
export function servingNamesOf(node: string, address: string): ServingNames {
  return isIP(node) ? { dns: [], ips: [...new Set([node, address])].sort() } : { dns: [node], ips: [address] };
}
