import { isIP, isIPv4 } from "node:net";

/** The names in a worker's serving certificate, as the kubelet requests them: the node's name, and the address that it registers. */
export interface ServingNames {
  readonly dns: readonly string[];
  readonly ips: readonly string[];
}

/** @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/certificate/kubelet.go addressesToHostnamesAndIPs */
export function servingNamesOf(node: string, address: string): ServingNames {
  return isIP(node) ? { dns: [], ips: [...new Set([node, address])].sort() } : { dns: [node], ips: [address] };
}

/** The names as the policy for serving certificates reads them from a request. */
export function servingNamesText(node: string, address: string): string {
  const { dns, ips } = servingNamesOf(node, address);
  return [...dns.map((name) => `DNS:${name}`), ...ips.map((ip) => `IP:${shortAddress(ip)}`)].join(", ");
}

/** An IPv6 address as Go and URLs write it: the longest row of zeros left out. */
const shortAddress = (ip: string): string => (isIPv4(ip) ? ip : new URL(`http://[${ip}]`).hostname.slice(1, -1));
