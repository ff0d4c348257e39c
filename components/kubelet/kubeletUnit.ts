import type { KubeletFlags } from "./flags";
import { binariesOf, PATHS } from "../cluster/names";

export interface KubeletUnitArgs {
  /** Version of the kubelet, `1.<minor>.<patch>`. */
  readonly kubernetesVersion: string;
  readonly nodeName: string;
  /** IP address that the node registers. */
  readonly nodeAddress: string;
  /**
   * Labels that the kubelet gives a Node that it makes.
   * @default {}
   */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Flags besides the ones that this module sets.
   * @default {}
   */
  readonly flags?: KubeletFlags;
}

/**
 * Renders the kubelet's systemd unit. Settings that have a KubeletConfiguration field are not flags.
 *
 * The unit names the node and its address. A kubelet that has to find them asks the DNS, and may register late or with a wrong address. The
 * binary's path contains its version, so an upgrade shows in the preview, and a restart alone never upgrades.
 */
export function renderKubeletUnit({
  kubernetesVersion,
  nodeName,
  nodeAddress,
  labels = {},
  flags = {},
}: KubeletUnitArgs): string {
  const nodeLabels = Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`);
  const extraFlags = [
    ...(nodeLabels.length > 0 ? [`--node-labels=${nodeLabels.join(",")}`] : []),
    ...Object.keys(flags)
      .sort()
      .map((name) => `--${name}=${flags[name]}`),
  ].map((flag) => ` \\\n  ${systemdWord(flag)}`);
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
  --node-ip=${nodeAddress}${extraFlags.join("")}
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
 * Quotes a word for an `ExecStart=` line. systemd itself interprets quotes, backslashes, `%` and `$`.
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 */
export function systemdWord(text: string): string {
  const escaped = text.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@:,.=/+%$-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
