import { createHash } from "node:crypto";
import type { HostFile } from "../host/hostFiles";

/**
 * Lines that differ by node: in node.conf, in the kubelet's unit and config, and in kube-proxy's config. A machine of a scale group registers its
 * labels and taints itself; those of a worker are declared, and in none of its files.
 */
const OF_THE_NODE =
  /^(?:(?:OWNER|NODE_NAME|GENERATION|MINT_COMMAND)=| {2}--(?:hostname-override|node-ip|node-labels)=|registerWithTaints: |hostnameOverride: ).*\n/gm;

/**
 * Hash of the files of the step kubelet, `sha256:<hex>`, without what differs by node. So workers with equal settings have equal hashes.
 * `report.sh` computes the same from the files on a host.
 */
export function configHashOf(files: readonly HostFile[]): string {
  const texts = files.map(({ mode, path, text }) => `${mode} ${path}\n${text.replace(OF_THE_NODE, "")}`);
  return `sha256:${createHash("sha256").update(texts.join("")).digest("hex")}`;
}
