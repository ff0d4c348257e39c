/** What user data writes onto a machine, whatever its format. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { SCALE_GROUP_LABEL } from "../../admission/readyNodes";
import { PATHS } from "../../cluster/names";
import { siteUrls } from "../../downloads/downloads";
import { renderConf } from "../../host/hostConf";
import { type HostFile, renderBundle } from "../../host/hostFiles";
import { systemdWord } from "../../kubelet/kubeletUnit";
import { runtimeFiles } from "../../runtime/runtimeFiles";
import type { Cluster, MachineSettings, ResolvedScaleGroup } from "../../spec/resolve";
import { hostVariables, runtimeArgsOf } from "../files/hostVariables";
import { configHashOf } from "../configHash";
import { kubeletFiles } from "../files/kubeletFiles";
import { machineScripts, unpackScript } from "../hostScript";

/** `boot.sh` replaces these words by what it finds on the machine. */
const NODE_NAME_PLACEHOLDER = "@NODE_NAME@";
const NODE_ADDRESS_PLACEHOLDER = "@NODE_ADDRESS@";

/** A machine has no command that Pulumi could run. */
const NEW_MACHINE = "run 'pulumi up', and start a machine with the new user data";

/** The credentials in the user data. */
export interface MachineSecrets {
  readonly bootstrapKubeconfig: string;
  /** With `kubeProxy.mode: unit`. */
  readonly kubeProxyKubeconfig?: string;
}

export interface MachineFacts {
  readonly cluster: Cluster;
  /** See {@link HostConf.OWNER}. */
  readonly owner: string;
  readonly joinPolicyName?: string;
  readonly bundleUrl?: string;
}

/** A file of user data. One with a secret is not compressed, so that the size of user data does not depend on the secret. */
export interface MachineFile extends HostFile {
  readonly secret?: true;
}

/** The systemd unit that makes the machine a node. */
export const BOOT_UNIT = basename(PATHS.bootUnit);

/** The scripts, as one file of shell, and its SHA-256. They are the same for all groups of a version of this module. */
export interface ScriptBundle {
  readonly text: string;
  readonly sha256: string;
}

let renderedBundle: ScriptBundle | undefined;

/** Renders the scripts for `unpack.sh`, once for all groups. */
export const scriptBundle = (): ScriptBundle => (renderedBundle ??= bundleOf(renderBundle(machineScripts())));

const bundleOf = (text: string): ScriptBundle => ({ text, sha256: createHash("sha256").update(text).digest("hex") });

/** Renders the files with which a machine of the group joins: the steps' inputs, as those of a worker, and the unit that runs the steps. */
export function machineFiles(
  group: ResolvedScaleGroup,
  settings: MachineSettings,
  facts: MachineFacts,
  { bootstrapKubeconfig, kubeProxyKubeconfig }: MachineSecrets,
): MachineFile[] {
  const machine = { ...settings, name: NODE_NAME_PLACEHOLDER };
  const node = nodeInputs(group, machine, facts);
  const bundle = scriptBundle();
  const input = (name: string, text: string): HostFile => ({ path: `${PATHS.boot}/${name}`, mode: "0600", text });
  return [
    { path: PATHS.unpackScript, mode: "0755", text: unpackScript() },
    ...(facts.bundleUrl === undefined ? [{ path: PATHS.bundle, mode: "0600", text: bundle.text }] : []),
    ...runtimeFiles(machine.runtime, runtimeArgsOf(machine)),
    input("host.conf", node.hostConf),
    input("kubelet", renderBundle(node.files)),
    ...(machine.kubeProxy.mode === "unit" && kubeProxyKubeconfig !== undefined
      ? [{ ...input("kube-proxy", kubeProxyKubeconfig), secret: true as const }]
      : []),
    { ...input("join", bootstrapKubeconfig), secret: true },
    { path: PATHS.bootUnit, mode: "0644", text: renderBootUnit(group, bundle.sha256, facts.bundleUrl) },
    ...(group.shutdownSeconds > 0
      ? [{ path: PATHS.leaveUnit, mode: "0644", text: renderLeaveUnit(group.shutdownSeconds) }]
      : []),
  ];
}

/** Hash of the files of the step kubelet, as each node of the group reports it. See {@link configHashOf}. */
export const configHashOfGroup = (group: ResolvedScaleGroup, settings: MachineSettings, facts: MachineFacts): string =>
  configHashOf(nodeInputs(group, { ...settings, name: NODE_NAME_PLACEHOLDER }, facts).files);

/** `host.conf` and the files of the step kubelet, as they are on a worker. */
function nodeInputs(
  group: ResolvedScaleGroup,
  machine: MachineSettings,
  { cluster, owner, joinPolicyName }: MachineFacts,
) {
  const found = { owner, nodeAddress: NODE_ADDRESS_PLACEHOLDER };
  const registration = { labels: { ...group.labels, [SCALE_GROUP_LABEL]: group.name }, taints: group.taints };
  return {
    hostConf: renderConf(
      hostVariables(machine, {
        ...found,
        server: cluster.server,
        replaceCommand: NEW_MACHINE,
        sites: siteUrls(machine),
      }),
    ),
    files: kubeletFiles(machine, { ...found, cluster, mintCommand: NEW_MACHINE, joinPolicyName, registration }),
  };
}

/**
 * Its messages go to the console too: nobody can log in to a machine that has not joined. The boot must not wait for it (`oneshot`), because it waits
 * for cloud-init, whose last stage comes after multi-user.target.
 */
const renderBootUnit = (
  { nodeName, namePrefix }: ResolvedScaleGroup,
  sha256: string,
  bundleUrl: string | undefined,
): string => `[Unit]
Description=joins this machine to its Kubernetes cluster
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStartPre=/bin/sh ${[PATHS.unpackScript, sha256, ...(bundleUrl ? [bundleUrl] : [])].map(systemdWord).join(" ")}
ExecStart=/bin/sh ${PATHS.scripts}/boot.sh run ${systemdWord(nodeName)} ${namePrefix}
StandardOutput=journal+console
StandardError=journal+console
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
`;

/** systemd stops it before the services that it comes after. */
const renderLeaveUnit = (seconds: number): string => `[Unit]
Description=moves the pods away when this Kubernetes node is powered off
Wants=network-online.target
After=network-online.target containerd.service kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh ${PATHS.scripts}/leave.sh power-off ${seconds}
StandardOutput=journal+console
StandardError=journal+console
TimeoutStopSec=${seconds + 30}

[Install]
WantedBy=multi-user.target
`;
