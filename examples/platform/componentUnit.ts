import { binariesOf } from "../../components/cluster/names";
import type { HostFile } from "../../components/host/hostFiles";
import { systemdWord } from "../../components/kubelet/kubeletUnit";
import type { Component, Flags } from "./componentFlags";

const DESCRIPTIONS: Readonly<Record<Component, string>> = {
  etcd: "etcd, the store of the Kubernetes API",
  "kube-apiserver": "kube-apiserver, the Kubernetes API",
  "kube-controller-manager": "kube-controller-manager, the controllers of Kubernetes",
  "kube-scheduler": "kube-scheduler, which assigns pods to nodes",
};

/** The folder with a component's keys, certificates and kubeconfig. Only root reads it. */
export const credentialsFolder = (component: Component): string => `/etc/kubernetes/${component}`;

export interface ComponentUnitArgs {
  readonly component: Component;
  readonly kubernetesVersion: string;
  readonly etcdVersion: string;
  readonly flags: Flags;
  /** Names of the files in {@link credentialsFolder}. */
  readonly credentials: readonly string[];
}

/**
 * Renders the systemd unit of a component. It runs as a user that exists only while the unit runs, without capabilities, and sees the file
 * system read-only. systemd reads the credentials as root and gives the unit a copy in memory. The path of the binary has its version, so an
 * upgrade shows in the preview, and a restart alone never upgrades.
 */
export function renderComponentUnit(args: ComponentUnitArgs): string {
  const { component, flags, credentials } = args;
  const words = [programOf(args), ...Object.entries(flags).map(([name, value]) => systemdWord(`--${name}=${value}`))];
  return `[Unit]
Description=${DESCRIPTIONS[component]}
Wants=network-online.target
After=network-online.target
# A component ends again and again while another one is away; systemd must never give up on it.
StartLimitIntervalSec=0

[Service]
ExecStart=${words.join(" \\\n  ")}
${credentials.map((file) => `LoadCredential=${file}:${credentialsFolder(component)}/${file}\n`).join("")}Restart=always
RestartSec=2
# The API server would wait a minute for the watches of its clients, which reconnect anyway.
TimeoutStopSec=15
LimitNOFILE=65536
DynamicUser=true
${component === "etcd" ? "StateDirectory=etcd\nStateDirectoryMode=0700\n" : ""}UMask=0077
CapabilityBoundingSet=
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
ProtectProc=invisible
ProtectClock=true
ProtectHostname=true
ProtectControlGroups=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=true
RestrictRealtime=true
LockPersonality=true
MemoryDenyWriteExecute=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

function programOf({ component, kubernetesVersion, etcdVersion }: ComponentUnitArgs): string {
  // The release has a folder with the architecture in its name, so host.sh makes a link.
  if (component === "etcd") return `/opt/tls-bootstrap/etcd-${etcdVersion}/etcd`;
  return `${binariesOf(kubernetesVersion)}/${component}`;
}

/** The unit as a file on the controller. */
export const unitFile = (args: ComponentUnitArgs): HostFile => ({
  path: `/etc/systemd/system/${args.component}.service`,
  mode: "0644",
  text: renderComponentUnit(args),
});
