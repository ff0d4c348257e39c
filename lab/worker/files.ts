/** Texts of the files of a worker's root file system. Pure functions: what they need of the machine comes in. */

/** Where the CNI plugins are, in the place that the Kubernetes world expects. */
export const CNI_PLUGINS = "/opt/cni/bin";
/** The lab's own parts of a worker; nothing of Kubernetes. */
export const LAB_FOLDER = "/usr/lib/lab";
export const PAUSE_IMAGE = "lab.local/pause:1";
export const BUSYBOX_IMAGE = "lab.local/busybox:1";
export const ADMIN = "admin";

export interface ContainerdInput {
  /** Where even root may not lower a process's OOM score, containerd must not try to. */
  readonly restrictOomScoreAdj: boolean;
}

export function renderContainerdConfig({ restrictOomScoreAdj }: ContainerdInput): string {
  return `version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = ${restrictOomScoreAdj}

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_PLUGINS}"
    conf_dir = "/etc/cni/net.d"
`;
}

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

export const RESOLV_CONF = "# There are no name servers in a lab: see /etc/hosts.\n";

/** Pods' processes often ignore the signal that asks them to end; nobody wants to wait 90 s for them at each reboot. */
export const SYSTEMD_CONF = "[Manager]\nDefaultTimeoutStopSec=5s\n";

/** Lets the administrator act without a password. */
export const SUDOERS = `${ADMIN} ALL=(ALL) NOPASSWD: ALL\n`;

/** What a virtual machine has and a container lacks, before anything else of the system starts. */
export function renderMachineService(): string {
  return `[Unit]
Description=Make the container look like a machine of its own
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${LAB_FOLDER}/machine.sh

[Install]
WantedBy=sysinit.target
`;
}

export function renderMachineScript(): string {
  return `#!/bin/sh
# Mounts that a kubelet expects of a machine.
set -u
# Control groups of version 1 are read-only in a container; the kubelet makes some for the pods. (On version 2, no change.)
for hierarchy in /sys/fs/cgroup/*/; do
  mount -o remount,rw,bind "$hierarchy" 2>/dev/null || true
done
mount -o remount,rw,bind /proc/sys
# The host's swap is not the worker's.
mount --bind ${LAB_FOLDER}/swaps /proc/swaps
# Volumes and network namespaces of pods must show up wherever this is mounted.
mount --make-rshared /
`;
}

/** /proc/swaps of a machine without swap. */
export const NO_SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

/** Brings the images that pods need: a lab reaches no registry. */
export function renderImagesService(): string {
  return `[Unit]
Description=Import the lab's container images
After=containerd.service
Requires=containerd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'for image in ${LAB_FOLDER}/images/*.tar; do ctr --namespace k8s.io images import --all-platforms "$image"; done'

[Install]
WantedBy=multi-user.target
`;
}

/** A bare worker's packages come from the lab's mirror, whose repository nobody signs. */
export const renderAptSources = (mirror: string): string => `deb [trusted=yes] ${mirror}/debian ./\n`;

/** Lets pods out of the worker, under the worker's address. */
export function renderPodsService(podNetwork: string): string {
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
WantedBy=multi-user.target
`;
}
