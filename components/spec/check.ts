/** Checks what a user wrote: part by part, and across pools and workers. */
import { isIP } from "node:net";
import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { airGapChecks } from "../downloads/airGap";
import { checksumChecks } from "../downloads/downloadChecks";
import { kubeletChecks } from "../kubelet/levels";
import { servingKubeletChecks } from "../serving/servingKubelet";
import { poolNodesProblem } from "../serving/servingPolicy";
import { canonicalNodeAddress } from "../validation/addresses";
import { isMap } from "../validation/maps";
import { below, problemsOf, REQUIRED } from "../validation/problems";
import type { Check } from "../validation/refuse";
import { bootstrapSchema, type Environment, environmentSchema } from "./bootstrapSchema";
import { claimChecks, duplicateChecks } from "./claims";
import { poolSchema, workerSchema } from "./poolSchema";
import { groupChecks, groupsAsPools } from "./scaleGroupChecks";
import { servingSchema } from "./servingSchema";

/** Everything that a stack sets, but the cluster. */
export interface CheckedBootstrap extends Environment, Omit<z.output<typeof bootstrapSchema>, "pools"> {
  readonly pools: CheckedPool[];
}

export type CheckedPool = Omit<z.output<typeof poolSchema>, "workers"> & { readonly workers: CheckedWorker[] };
export type CheckedWorker = z.output<typeof workerSchema> & { readonly nodeAddress: pulumi.Input<string> };

/** Marks a spec that has been checked. A copy by `{ ...spec }` keeps the mark. */
const CHECKED = Symbol("checked");

/** Whether a spec has been checked. */
export const isChecked = (value: object): value is CheckedBootstrap => CHECKED in value;

/** All problems of what was given, whatever that is, and the spec when there are none. */
export function checkBootstrap(given: Readonly<Record<string, unknown>>): { checks: Check[]; spec?: CheckedBootstrap } {
  const { pools: givenPools, ...rest } = given;
  const top = topSchema.safeParse(rest, REQUIRED);
  // The checks across settings use every setting that is sound, so that a problem of one setting hides no other.
  const sound = top.data ?? partSchema.parse(rest);
  const mode = sound.servingCertificates?.mode;
  const inventory = checkPools(givenPools);
  const checks: Check[] = [
    ...(top.success ? [] : problemsOf(top.error, "")),
    ...inventory.checks,
    ...kubeletChecks(given.kubernetesVersion, { ...given, pools: givenPools }),
    ...duplicateChecks(inventory.pools),
    ...claimChecks(inventory.pools, sound.scaleGroups ?? []),
    ...(mode ? servingKubeletChecks(mode, sound.kubelet ?? {}, inventory.pools) : []),
    ...groupChecks(given.scaleGroups, sound),
    ...(top.success
      ? [
          ...airGapChecks(top.data, inventory.pools),
          ...checksumChecks(top.data, [...inventory.pools, ...groupsAsPools(top.data.scaleGroups)]),
        ]
      : []),
    ...inventory.pools.flatMap(({ at, pool }): Check[] => [
      [below(at, "workers"), mode && mode !== "issued" ? poolNodesProblem(pool) : undefined],
    ]),
  ].filter(([, problem]) => problem !== undefined);
  if (checks.length > 0 || !top.success) return { checks };
  const pools = inventory.pools.map(({ pool }) => pool);
  return { checks, spec: { ...top.data, pools, [CHECKED]: true } as CheckedBootstrap };
}

const topSchema = environmentSchema.extend(bootstrapSchema.omit({ pools: true }).shape);

/** The settings that the checks across settings read. A setting that is not sound is undefined. */
const partSchema = z.object({
  servingCertificates: z.object({ mode: servingSchema.shape.mode }).prefault({}).optional().catch(undefined),
  airGap: environmentSchema.shape.airGap.catch(undefined),
  kubelet: bootstrapSchema.shape.kubelet.optional().catch(undefined),
  joinPolicy: bootstrapSchema.shape.joinPolicy.optional().catch(undefined),
  scaleGroups: bootstrapSchema.shape.scaleGroups.optional().catch(undefined),
});

/** A pool that is sound by itself, with those of its workers that are, and where they stand. */
export interface PlacedPool {
  readonly at: string;
  readonly pool: CheckedPool;
  /** Where each of its workers stands. */
  readonly places: readonly string[];
}

/** Each pool and worker is parsed by itself, so that a problem of one hides no other. */
function checkPools(given: unknown): { checks: Check[]; pools: PlacedPool[] } {
  if (!Array.isArray(given) || given.length === 0) {
    const list = bootstrapSchema.shape.pools.safeParse(given, REQUIRED);
    return { checks: list.success ? [] : problemsOf(list.error, "pools"), pools: [] };
  }
  const checks: Check[] = [];
  const pools = given.flatMap((entry: unknown, p): PlacedPool[] => {
    const at = `pools[${p}]`;
    const pool = poolSchema.safeParse(
      isMap(entry) && Array.isArray(entry.workers) ? { ...entry, workers: [] } : entry,
      REQUIRED,
    );
    if (!pool.success) checks.push(...problemsOf(pool.error, at));
    const workers = isMap(entry) && Array.isArray(entry.workers) ? entry.workers : [];
    const sound = workers.flatMap((worker: unknown, w) => {
      const place = `${at}.workers[${w}]`;
      const parsed = workerSchema.safeParse(worker, REQUIRED);
      if (!parsed.success) checks.push(...problemsOf(parsed.error, place));
      checks.push([below(place, "nodeAddress"), isNodeAddressMissing(worker) ? NODE_ADDRESS_REQUIRED : undefined]);
      const { data } = parsed;
      const nodeAddress = data?.nodeAddress ?? data?.address;
      return nodeAddress === undefined
        ? []
        : [
            {
              place,
              worker: {
                ...data!,
                nodeAddress: typeof nodeAddress === "string" ? canonicalNodeAddress(nodeAddress) : nodeAddress,
              },
            },
          ];
    });
    if (!pool.success) return [];
    return [
      {
        at,
        pool: { ...pool.data, workers: sound.map(({ worker }) => worker) },
        places: sound.map(({ place }) => place),
      },
    ];
  });
  return { checks, pools };
}

const isNodeAddressMissing = (worker: unknown): boolean =>
  isMap(worker) && worker.nodeAddress === undefined && typeof worker.address === "string" && !isIP(worker.address);

export const NODE_ADDRESS_REQUIRED = "is required when 'address' is a DNS name: the IP address that the node registers";
