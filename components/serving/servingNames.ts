import { isIP } from "node:net";
import { canonicalAddress, nodeAddressesOf } from "../validation/addresses";

/** The names in a worker's serving certificate, as the kubelet requests them: the node's name, and the addresses that it registers. */
export interface ServingNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

/** @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/certificate/kubelet.go addressesToHostnamesAndIPs */
export function servingNamesOf(node: string, nodeAddress: string): ServingNames {
  const addresses = nodeAddressesOf(nodeAddress);
  const ips = isIP(node) ? [canonicalAddress(node), ...addresses] : addresses;
  return { dns: isIP(node) ? [] : [node], ips: [...new Set(ips)].sort() };
}

/** The names as the policy for serving certificates reads them from a request. */
export function servingNamesText(node: string, nodeAddress: string): string {
  const { dns, ips } = servingNamesOf(node, nodeAddress);
  return [...dns.map((name) => `DNS:${name}`), ...ips.map((ip) => `IP:${ip}`)].join(", ");
}
