import type { KubeletFlags } from "./flags";
import { binariesOf, PATHS } from "../cluster/names";

export interface KubeletUnitArgs {
  readonly kubernetesVersion: string;
  readonly nodeName: string;
  /** The address that the node registers. */
  readonly nodeAddress: string;
  /** Flags besides those of this module. */
  readonly flags?: KubeletFlags;
}

/**
 * The kubelet's systemd unit. Only what is no field of KubeletConfiguration is a flag.
 *
 * Name and address are always given: a kubelet that has to find them out asks the DNS, and registers late or with the wrong
 * address. The binary's path names its version, so that an upgrade shows in the diff and never happens by a restart alone.
 */
export function renderKubeletUnit({ kubernetesVersion, nodeName, nodeAddress, flags = {} }: KubeletUnitArgs): string {
  const more = Object.keys(flags)
    .sort()
    .map((name) => ` \\\n  ${systemdWord(`--${name}=${flags[name]}`)}`);
  return `[Unit]
Description=kubelet, the Kubernetes node agent
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
Wants=network-online.target
After=network-online.target containerd.service
# While the API server is away the kubelet ends again and again; systemd must never give up on it.
StartLimitIntervalSec=0

[Service]
ExecStart=${binariesOf(kubernetesVersion)}/kubelet \\
  --bootstrap-kubeconfig=${PATHS.bootstrapKubeconfig} \\
  --kubeconfig=${PATHS.kubeconfig} \\
  --cert-dir=${PATHS.kubeletCertificates} \\
  --config=${PATHS.kubeletConfig} \\
  --hostname-override=${nodeName} \\
  --node-ip=${nodeAddress}${more.join("")}
Restart=always
RestartSec=5
# The kubelet reports its own use of CPU and memory from its cgroup.
CPUAccounting=true
MemoryAccounting=true

[Install]
WantedBy=multi-user.target
`;
}

/**
 * A word of an `ExecStart=` line that reaches the program as it is: systemd takes quotes and backslashes for its own, `%` for a specifier and `$`
 * for a variable.
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 */
export function systemdWord(text: string): string {
  const escaped = text.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@:,.=/+%$-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
