/** Texts of the files that are a worker's own; what all workers share is in the folder `machine`. */

export const ADMIN = "admin";

/**
 * The pods of one worker share a bridge of its own. Pods keep their address on the way to other pods; what leaves for any
 * other place, such as the API server, carries the worker's (lab-pods.service).
 */
export function renderCniConfig(podSubnet: string): string {
  const conflist = {
    cniVersion: "0.4.0",
    name: "lab",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: { type: "host-local", ranges: [[{ subnet: podSubnet }]], routes: [{ dst: "0.0.0.0/0" }] },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
  return `${JSON.stringify(conflist, null, 2)}\n`;
}

export interface HostsInput {
  readonly name: string;
  readonly address: string;
  readonly apiServer: string;
}

/** There are no name servers in a lab, and a kubelet that has to wait for one registers late. */
export function renderHosts({ name, address, apiServer }: HostsInput): string {
  return `127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
${address} ${name}
${apiServer} api-server
`;
}

/** A bare worker's packages come from the lab's mirror, whose repository nobody signs. */
export const renderAptSources = (mirror: string): string => `deb [trusted=yes] ${mirror}/debian ./\n`;

/** Lets pods out of the worker, under the worker's address. */
export function renderPodsService(podNetwork: string, wantedBy: string): string {
  const rule = `POSTROUTING -s ${podNetwork} ! -d ${podNetwork} -j MASQUERADE`;
  return `[Unit]
Description=Masquerade what pods send out of the lab's pod network
After=network.target
Before=containerd.service
ConditionPathExists=/usr/sbin/iptables

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'iptables -w -t nat -C ${rule} 2>/dev/null || iptables -w -t nat -A ${rule}'
ExecStart=/usr/sbin/sysctl -qw net.ipv4.ip_forward=1

[Install]
WantedBy=${wantedBy}
`;
}
