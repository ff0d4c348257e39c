/**
 * The shape of what describes pools and workers, for the settings and for the components alike. The interfaces carry the
 * documentation; the schemas check that values have that shape and keep to the rules.
 */
import { isIP } from "node:net";
import { z } from "zod";
import type { KubeletFlags } from "../kubelet/flags";
import type { Check } from "../validation/refuse";
import * as rules from "../validation/rules";
import { runtime, type RuntimeSpec } from "../runtime/runtimeSpec";
import { by } from "../validation/strings";
import { isMap, type KubeletSettings } from "../kubelet/kubeletConfig";

/** Keeps pods without the matching toleration away from a node. */
export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** What a pool and a worker can both say; a worker's word goes over its pool's. */
export interface NodeSettings {
  /** Labels of the Node. Removing one here removes it there. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Taints of the Node; they hold from its first second. A worker's are added to its pool's. */
  readonly taints?: readonly Taint[];
  /** KubeletConfiguration fields over the module's defaults. */
  readonly kubelet?: KubeletSettings;
  /** Command line flags of the kubelet that are no such field, by name without dashes. */
  readonly kubeletFlags?: KubeletFlags;
}

/** One VM that becomes one node. */
export interface WorkerSpec extends NodeSettings {
  /** The Node's name. */
  readonly name: string;
  /** IP address or DNS name for SSH. */
  readonly address: string;
  /**
   * IP address that the node registers; it must be on an interface of the host.
   * @default address, when that is an IP address
   */
  readonly nodeAddress?: string;
  /** Public key that the host proves itself with: `ssh-ed25519 AAAA…`, from its console or image, not from a first connection. */
  readonly hostKey: string;
  /**
   * Raise it to take the node out, wipe its identity, and join it anew with a fresh token.
   * @default 1
   */
  readonly generation?: number;
}

/** Workers that are alike and share a bootstrap token. */
export interface PoolSpec extends NodeSettings {
  /** Names the token's group `system:bootstrappers:<name>` and the role label `node-role.kubernetes.io/<name>`. */
  readonly name: string;
  /**
   * The container runtime of its workers; another `type` makes them leave and join anew.
   * @default that of all pools
   */
  readonly runtime?: RuntimeSpec;
  /**
   * The archive for its workers, where they download nothing; see {@link WorkerEnvironment.airGap}.
   * @default that of all pools
   */
  readonly airGap?: string;
  readonly workers: readonly WorkerSpec[];
}

/** Machines that come and go by themselves, an autoscaler's, all with one bootstrap token that is always valid. */
export interface ScaleGroupSpec {
  /** Names the token's group `system:bootstrappers:<name>`. */
  readonly name: string;
  /** What the names of its nodes begin with: the tokens of this group may claim such names and no others. */
  readonly namePrefix: string;
  /**
   * Life of a token; a new one is minted by the first update after half of it. 2h to 30d.
   * @default "72h"
   */
  readonly tokenTtl?: string;
}

/** Only that it is a map: what is in it depends on the version of the kubelets, see {@link kubeletChecks}. */
export const kubeletSettings = z.custom<KubeletSettings>(isMap, {
  error: "must be a map of KubeletConfiguration fields",
});

const nodeSettings = {
  labels: z.record(by(rules.labelKey), by(rules.labelValue)).optional(),
  taints: z
    .array(
      z.strictObject({
        key: by(rules.labelKey),
        value: by(rules.labelValue).optional(),
        effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
      }),
    )
    .optional(),
  kubelet: kubeletSettings.optional(),
  kubeletFlags: z.custom<KubeletFlags>(isMap, { error: "must be a map of flags of the kubelet" }).optional(),
};

const worker = z
  .strictObject({
    name: by(rules.nodeName),
    address: by(rules.host),
    nodeAddress: by(rules.ip).optional(),
    hostKey: by(rules.hostKey),
    generation: z.int().min(1).optional(),
    ...nodeSettings,
  })
  .superRefine(({ address, nodeAddress }, context) => {
    if (!nodeAddress && !isIP(address))
      context.addIssue({
        code: "custom",
        path: ["nodeAddress"],
        message: "is required when 'address' is a DNS name: the IP address that the node registers",
      });
  }) satisfies z.ZodType<WorkerSpec>;

export const pools = z
  .array(
    z.strictObject({
      name: by(rules.poolName),
      runtime: runtime.optional(),
      airGap: z.string().min(1).optional(),
      workers: z.array(worker),
      ...nodeSettings,
    }),
  )
  .min(1)
  .superRefine((list, context) => {
    const workers = list.flatMap((pool, p) => pool.workers.map((worker, w) => ({ worker, path: [p, "workers", w] })));
    const unique = (what: string, entries: { value: string; path: (string | number)[] }[]) => {
      const seen = new Map<string, (string | number)[]>();
      for (const { value, path } of entries) {
        const first = seen.get(value);
        if (first)
          context.addIssue({
            code: "custom",
            path,
            message: `'${value}' is already the ${what} of ${pathText(["pools", ...first])}`,
          });
        else seen.set(value, path);
      }
    };
    unique(
      "name",
      list.map(({ name }, p) => ({ value: name, path: [p, "name"] })),
    );
    unique(
      "name",
      workers.map(({ worker, path }) => ({ value: worker.name, path: [...path, "name"] })),
    );
    unique(
      "address",
      workers.map(({ worker, path }) => ({ value: worker.address, path: [...path, "address"] })),
    );
    unique(
      "node address",
      // Where they come from one address given twice, that has been said.
      workers
        .filter(({ worker }, i) => workers.findIndex((other) => other.worker.address === worker.address) === i)
        .map(({ worker, path }) => ({
          value: worker.nodeAddress ?? worker.address,
          path: [...path, worker.nodeAddress ? "nodeAddress" : "address"],
        })),
    );
    unique(
      "host key",
      workers.map(({ worker, path }) => ({ value: worker.hostKey, path: [...path, "hostKey"] })),
    );
  }) satisfies z.ZodType<readonly PoolSpec[]>;

export const scaleGroups = z.array(
  z.strictObject({
    name: by(rules.poolName),
    namePrefix: by(rules.namePrefix),
    tokenTtl: by(rules.renewedTokenTtl).optional(),
  }),
) satisfies z.ZodType<readonly ScaleGroupSpec[]>;

/** What only pools and scale groups together can get wrong: names that two of them may claim. */
export function claimChecks(pools: readonly PoolSpec[], groups: readonly ScaleGroupSpec[]): Check[] {
  return groups.flatMap(({ name, namePrefix }, i): Check[] => {
    const pool = pools.find((other) => other.name === name);
    const earlier = groups.slice(0, i);
    const overlapping = earlier.find(
      (other) => other.namePrefix.startsWith(namePrefix) || namePrefix.startsWith(other.namePrefix),
    );
    const worker = pools.flatMap(({ workers }) => workers).find((candidate) => candidate.name.startsWith(namePrefix));
    return [
      [
        `scaleGroups[${i}].name`,
        pool || earlier.some((other) => other.name === name)
          ? "is already the name of a pool or scale group"
          : undefined,
        name,
      ],
      [
        `scaleGroups[${i}].namePrefix`,
        overlapping
          ? `overlaps with '${overlapping.namePrefix}' of scale group ${overlapping.name}: each could claim names of the other`
          : worker && `is how the name of worker ${worker.name} begins: tokens of this group could claim it`,
        namePrefix,
      ],
    ];
  });
}

/** `["pools", 0, "name"]` as `pools[0].name`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** Everything that is wrong with a value, each with its place below `at`. */
export function problemsOf(schema: z.ZodType, value: unknown, at: string): Check[] {
  const parsed = schema.safeParse(value, { error: (issue) => (issue.input === undefined ? "is required" : undefined) });
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue): Check[] => {
    const where = pathText([at, ...issue.path]);
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => [`${where}.${key}`, "is not a setting"]);
    if (issue.code === "invalid_key") return issue.issues.map(({ message }) => [where, message]);
    return [[where, issue.message]];
  });
}
