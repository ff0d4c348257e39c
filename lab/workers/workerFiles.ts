/** Renders the files that differ between workers. The folder `machine` has the files that all workers share. */

export const ADMIN = "admin";

/**
 * Renders the CNI config: a bridge for the pods of the worker. It does not masquerade, so pods keep their address on the way to other pods.
 * lab-pods.service masquerades the packets to all other addresses.
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

/** Renders /etc/hosts. A lab has no name servers, and a kubelet that waits for one registers late. */
export function renderHosts({ name, address, apiServer }: HostsInput): string {
  return `127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
${address} ${name}
${apiServer} api-server
`;
}

/** Renders the apt sources of a bare worker: the lab's mirror, whose repository is not signed. */
export const renderAptSources = (mirror: string): string => `deb [trusted=yes] ${mirror}/debian ./\n`;

/** Renders the unit with which pods reach addresses outside the pod network, under the worker's address. */
export function renderPodsService(podNetwork: string, wantedBy: string): string {
  const rule = `POSTROUTING -s ${podNetwork} ! -d ${podNetwork} -j MASQUERADE`;
  return `[Unit]
Description=Masquerade packets of pods to addresses outside the pod network
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
