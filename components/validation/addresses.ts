import { isIP, isIPv4 } from "node:net";

/** An IP address as Go and URLs write it: IPv6 in lower case, with the longest row of zeros left out. Other text stays as it is. */
export const canonicalAddress = (ip: string): string =>
  isIP(ip) === 6 ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;

/** The addresses that a node registers: one, or one of each family with a comma between, as kubelet's `--node-ip` takes them. */
export const nodeAddressesOf = (nodeAddress: string): string[] => nodeAddress.split(",").map(canonicalAddress);

export const canonicalNodeAddress = (nodeAddress: string): string => nodeAddressesOf(nodeAddress).join(",");

/** What is wrong with the addresses of a node. */
export function nodeAddressProblem(value: string): string | undefined {
  const addresses = value.split(",");
  if (!addresses.every(isIP)) return "is not an IP address";
  const families = addresses.map(isIPv4);
  return new Set(families).size === families.length ? undefined : "has two addresses of one family";
}
