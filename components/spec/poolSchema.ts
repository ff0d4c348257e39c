/** Pools of workers. */
import { z } from "zod";
import type { KubeletFlags } from "../kubelet/flags";
import type { KubeletConfiguration } from "../kubelet/KubeletConfiguration";
import { kubernetesVersion, SUPPORTED_MINORS } from "../kubelet/supportedVersions";
import { isMap } from "../validation/maps";
import { nodeAddressProblem } from "../validation/addresses";
import * as rules from "../validation/rules";
import { ruledString, stringInput } from "../validation/ruledString";
import { poolDrainSchema } from "./drainSchema";
import { rolloutSchema } from "./rolloutSchema";
import { runtimeSchema } from "./runtimeSchema";
import { poolSshSchema } from "./sshSchema";

const TAINT_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"] as const;

export const taint = z
  .strictObject({
    key: ruledString(rules.labelKey).describe("Key of the taint."),
    value: ruledString(rules.labelValue).optional().describe("Value of the taint."),
    effect: z.enum(TAINT_EFFECTS).describe("What happens to pods that do not tolerate the taint."),
  })
  .meta({ id: "Taint" });

export type Taint = z.output<typeof taint>;

export const kubernetesVersionSetting = ruledString(kubernetesVersion, {
  pattern: `^1\\.(${SUPPORTED_MINORS.join("|")})\\.\\d+$`,
});

/** Only the type: which fields are valid depends on the kubelets' version, see kubeletChecks. */
export const kubeletSettings = z
  .custom<KubeletConfiguration>(isMap, { error: "must be a map of KubeletConfiguration fields" })
  .meta({ type: "object", ts: "KubeletConfiguration" });

export const kubeletFlags = z
  .custom<KubeletFlags>(isMap, { error: "must be a map of flags of the kubelet" })
  .meta({ type: "object", additionalProperties: { type: ["string", "number", "boolean"] } });

/** What a pool and a worker can both set. Worker settings override pool settings. */
const nodeShape = {
  labels: z
    .record(ruledString(rules.labelKey), ruledString(rules.labelValue))
    .default({})
    .describe("Labels of the Node. A label that is removed here is removed from the Node."),
  taints: z
    .array(taint)
    .default([])
    .describe("Taints of the Node, in force when it first appears. A worker has its pool's taints and its own."),
  kubelet: kubeletSettings.default({}).describe("KubeletConfiguration fields that override this module's defaults."),
  kubeletFlags: kubeletFlags
    .default({})
    .describe("Command line flags of the kubelet that have no KubeletConfiguration field, by name without dashes."),
};

const address = stringInput(ruledString(rules.host));

export const workerSchema = z
  .strictObject({
    name: ruledString(rules.nodeName).describe("Name of the Node."),
    address: address.describe("IP address or DNS name for SSH."),
    nodeAddress: stringInput(ruledString(nodeAddressProblem))
      .optional()
      .describe(
        "IP address that the node registers, or an IPv4 and an IPv6 address with a comma between. They must be on interfaces of the host. Default: `address`, when that is an IP address.",
      ),
    hostKey: stringInput(
      ruledString(rules.hostKey, { pattern: "^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) \\S+" }),
    ).describe(
      "Public host key, from `/etc/ssh/ssh_host_ed25519_key.pub`. Take it from the VM's console or image, never from a first connection.",
    ),
    machine: stringInput(ruledString(rules.notEmpty))
      .optional()
      .describe(
        "Identity of the VM, such as its id in the cloud. Another value is another VM, also at the same address and with the same host key: it joins.",
      ),
    generation: z
      .int()
      .min(1)
      .default(1)
      .describe("Raise this counter to remove the node, wipe its identity, and join it again with a new token."),
    lost: z
      .boolean()
      .default(false)
      .describe(
        "The VM is gone or cannot be reached. The update deletes the worker's Node without SSH. After that, delete the worker from the settings. Another worker may have the same address, but not the same name.",
      ),
    kubernetesVersion: kubernetesVersionSetting
      .optional()
      .describe("Version of Kubernetes on the worker. Default: the version of its pool."),
    ...nodeShape,
  })
  .meta({ id: "WorkerSpec" });

export const poolSchema = z
  .strictObject({
    name: ruledString(rules.poolName).describe(
      "Name of the pool. It is part of the token group `system:bootstrappers:<project>-<stack>:<name>` and names the role label `node-role.kubernetes.io/<name>`.",
    ),
    kubernetesVersion: kubernetesVersionSetting
      .optional()
      .describe("Version of Kubernetes on the pool's workers. Default: the version for all pools."),
    runtime: runtimeSchema
      .optional()
      .describe(
        "Container runtime of the pool's workers. Default: the runtime for all pools. Another `type` drains the workers.",
      ),
    airGap: z
      .string()
      .min(1)
      .optional()
      .describe("Air-gap archive for the pool's workers. Default: the archive for all pools."),
    drain: poolDrainSchema
      .optional()
      .describe("How the pods of the pool's nodes are evicted. Each field overrides the one for all pools."),
    ssh: poolSshSchema
      .optional()
      .describe(
        "How to log in to the pool's workers. Each field overrides the one for all pools; a bastion does as a whole.",
      ),
    rollout: rolloutSchema
      .optional()
      .describe(
        "How a change reaches the pool's workers. Without it, all workers change at once. With it, they change in batches, in the order of the list. A batch begins when all workers of the batch before are healthy. When a worker fails, the batches after it do not begin.",
      ),
    workers: z.array(workerSchema).describe("The workers."),
    ...nodeShape,
  })
  .meta({ id: "PoolSpec" });
