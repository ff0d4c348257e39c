/**
 * From what a user wrote to what the components need: parse, default, inherit (all → pool → worker), and check across. Each value is checked here and nowhere
 * else. A resolved spec is marked, so that a component which gets one from another component does not resolve it again.
 */
import { isIP } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { poolNamesProblem } from "../admission/joinPolicy";
import type { ClusterEndpoint } from "../cluster/kubeconfig";
import { KUBEADM_GROUP, WORKER_LABEL } from "../cluster/names";
import { airGapChecks } from "../downloads/airGap";
import type { KubeletConfiguration } from "../kubelet/KubeletConfiguration";
import { kubeletChecks } from "../kubelet/levels";
import { servingKubeletChecks } from "../serving/servingKubelet";
import { poolNodesProblem } from "../serving/servingPolicy";
import { isMap, merge } from "../validation/maps";
import { below, problemsOf, REQUIRED } from "../validation/problems";
import { type Check, refuse } from "../validation/refuse";
import * as rules from "../validation/rules";
import { Machines } from "../worker/machines";
import { bootstrapSchema, clusterSchema, type Environment, environmentSchema } from "./bootstrapSchema";
import { claimChecks, duplicateChecks } from "./claims";
import { poolSchema, type ScaleGroupSetting, scaleGroupSchema, workerSchema } from "./poolSchema";
import { servingSchema } from "./servingSchema";
import type { BootstrapSpec, ClusterSpec, EnvironmentSpec, PoolSpec, ScaleGroupSpec, WorkerSpec } from "./specs";

/** A worker with everything it needs. */
export interface ResolvedWorker extends Environment, Required<Omit<z.output<typeof workerSchema>, "nodeAddress">> {
  readonly nodeAddress: pulumi.Input<string>;
  readonly cluster: pulumi.Output<ClusterEndpoint>;
  /** Shared by workers that must be different machines. */
  readonly machines: Machines;
}

export interface ResolvedPool extends Environment {
  readonly name: string;
  readonly tokenTtl: string;
  readonly cluster: pulumi.Output<ClusterEndpoint>;
  readonly workers: ResolvedWorker[];
}

/** Everything but the cluster. */
export interface CheckedBootstrap extends Environment, Omit<z.output<typeof bootstrapSchema>, "pools"> {
  readonly pools: CheckedPool[];
}

type CheckedPool = Omit<z.output<typeof poolSchema>, "workers"> & { readonly workers: CheckedWorker[] };
type CheckedWorker = z.output<typeof workerSchema> & { readonly nodeAddress: pulumi.Input<string> };

export interface ResolvedBootstrap extends Omit<CheckedBootstrap, "pools"> {
  readonly cluster: pulumi.Output<ClusterEndpoint>;
  readonly pools: readonly ResolvedPool[];
}

/** Marks specs that have been through this file. A copy by `{ ...spec }` keeps the mark. */
const CHECKED = Symbol("checked");
const RESOLVED = Symbol("resolved");

const marked = <T>(mark: symbol, value: object): value is T & object => mark in value;

/**
 * @param what names the component in errors
 * @throws pulumi.RunError with all problems
 */
export function resolveBootstrap(
  what: string,
  args: BootstrapSpec & EnvironmentSpec & { cluster: ClusterSpec },
): ResolvedBootstrap {
  const { cluster, ...given } = args;
  const clusterProblems = clusterChecks(cluster);
  const { checks, spec } = marked<CheckedBootstrap>(CHECKED, given)
    ? { checks: [], spec: given }
    : checkBootstrap(given);
  refuse(what, [...checks, ...clusterProblems]);
  const machines = new Machines();
  const endpoint = resolveCluster(what, cluster);
  const { pools, clusterInfo, bindings, joinPolicy, scaleGroups, tokenTtl, kubelet, ...environment } = spec!;
  return {
    ...{ ...environment, clusterInfo, joinPolicy, scaleGroups, tokenTtl, kubelet, cluster: endpoint },
    bindings: { ...bindings, group: bindings.group ?? (bindings.mode === "existing" ? KUBEADM_GROUP : undefined) },
    pools: pools.map((pool) =>
      resolvedPool(
        { ...environment, cluster: endpoint, machines, tokenTtl },
        kubelet,
        pool,
        (i) => `${what}: ${pool.name}: ${pool.workers[i].name}`,
      ),
    ),
  };
}

/** One pool by itself, see {@link resolveBootstrap}. */
export function resolvePool(
  what: string,
  args: EnvironmentSpec & PoolSpec & { cluster: ClusterSpec; tokenTtl?: string },
): ResolvedPool {
  if (marked<ResolvedPool>(RESOLVED, args)) return args;
  const { cluster, tokenTtl, ...rest } = args;
  const [environment, pool] = divided(rest);
  const { pools } = resolveSingle(what, { ...environment, tokenTtl, pools: [pool] }, cluster, "pools[0]");
  return pools[0];
}

/** One worker by itself, see {@link resolveBootstrap}. It has no label of a pool. */
export function resolveWorker(
  what: string,
  args: EnvironmentSpec & WorkerSpec & { cluster: ClusterSpec },
): ResolvedWorker {
  if (marked<ResolvedWorker>(RESOLVED, args)) return args;
  const { cluster, ...rest } = args;
  const [environment, worker] = divided(rest);
  const pools = [{ name: "none", workers: [worker] }];
  const [{ workers }] = resolveSingle(what, { ...environment, pools }, cluster, "pools[0].workers[0]").pools;
  return { ...workers[0], labels: { ...(worker.labels as object), ...WORKER_LABEL } };
}

/** One scale group by itself, see {@link resolveBootstrap}. */
export function resolveScaleGroup(
  what: string,
  args: ScaleGroupSpec & { cluster: ClusterSpec },
): ScaleGroupSetting & Pick<ResolvedPool, "cluster"> {
  const { cluster, ...given } = args;
  const { data, error } = scaleGroupSchema.safeParse(given, REQUIRED);
  refuse(what, [...(error ? problemsOf(error, "") : []), ...clusterChecks(cluster)]);
  return { ...data!, cluster: resolveCluster(what, cluster) };
}

/** Resolves what stands at one place, and reports its problems as if it stood alone. */
function resolveSingle(
  what: string,
  given: Readonly<Record<string, unknown>>,
  cluster: ClusterSpec,
  place: string,
): ResolvedBootstrap {
  const { checks, spec } = checkBootstrap(given);
  const alone = checks.map(([where, ...rest]): Check => [
    where.startsWith(place) ? where.slice(place.length).replace(/^\./, "") : where,
    ...rest,
  ]);
  refuse(what, [...alone, ...clusterChecks(cluster)]);
  return resolveBootstrap(what, { ...spec!, cluster } as Parameters<typeof resolveBootstrap>[1]);
}

/** What belongs to the environment, and the rest. */
function divided(args: Readonly<Record<string, unknown>>): [Record<string, unknown>, Record<string, unknown>] {
  const isShared = ([key]: [string, unknown]) => key in environmentSchema.shape;
  const entries = Object.entries(args);
  return [
    Object.fromEntries(entries.filter(isShared)),
    Object.fromEntries(entries.filter((entry) => !isShared(entry))),
  ];
}

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
    ...kubeletChecks(given.kubernetesVersion, { kubelet: given.kubelet, pools: givenPools }),
    ...duplicateChecks(inventory.pools),
    ...claimChecks(inventory.pools, sound.scaleGroups ?? []),
    ...(mode ? servingKubeletChecks(mode, sound.kubelet ?? {}, inventory.pools) : []),
    ...(top.success ? airGapChecks(top.data, inventory.pools) : []),
    ...inventory.pools.flatMap(({ at, pool }): Check[] => [
      [below(at, "workers"), sound.joinPolicy === "enforce" ? poolNamesProblem(pool) : undefined],
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
      return data ? [{ place, worker: { ...data, nodeAddress: data.nodeAddress ?? data.address } }] : [];
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

const NODE_ADDRESS_REQUIRED = "is required when 'address' is a DNS name: the IP address that the node registers";

type PoolEnvironment = Environment & Pick<ResolvedWorker, "cluster" | "machines"> & Pick<ResolvedPool, "tokenTtl">;

/** @param nameOf names a worker in errors */
function resolvedPool(
  { tokenTtl, ...shared }: PoolEnvironment,
  kubelet: KubeletConfiguration,
  { workers, ...pool }: CheckedPool,
  nameOf: (worker: number) => string,
): ResolvedPool {
  const environment = { ...shared, runtime: pool.runtime ?? shared.runtime, airGap: pool.airGap ?? shared.airGap };
  const ofPool = merge(kubelet, pool.kubelet);
  return {
    ...environment,
    ...{ name: pool.name, tokenTtl, [RESOLVED]: true },
    workers: workers.map((worker, i) => ({
      ...environment,
      ...worker,
      ...addressesOf(nameOf(i), worker),
      labels: { [`node-role.kubernetes.io/${pool.name}`]: "", ...pool.labels, ...worker.labels, ...WORKER_LABEL },
      taints: [...pool.taints, ...worker.taints],
      kubelet: merge(ofPool, worker.kubelet),
      kubeletFlags: { ...pool.kubeletFlags, ...worker.kubeletFlags },
      [RESOLVED]: true,
    })),
  };
}

/** Addresses and host key. What is known only later is checked then, before a step uses it. */
function addressesOf(what: string, { address, nodeAddress, hostKey }: CheckedWorker) {
  return {
    address: checkedLater(what, "address", address, rules.host),
    nodeAddress: checkedLater(what, "nodeAddress", nodeAddress, (value) =>
      isIP(value) ? undefined : NODE_ADDRESS_REQUIRED,
    ),
    hostKey: checkedLater(what, "hostKey", hostKey, rules.hostKey),
  };
}

function checkedLater(
  what: string,
  where: string,
  value: pulumi.Input<string>,
  rule: rules.Rule,
): pulumi.Input<string> {
  if (typeof value === "string") return value;
  return pulumi.output(value).apply((known) => {
    refuse(what, [[where, rule(known), known]]);
    return known;
  });
}

/** Server and CA, and nothing else: whatever else the caller's object holds may be secret, and would make the files on the workers secret too. */
function resolveCluster(what: string, { server, ca }: ClusterSpec): pulumi.Output<ClusterEndpoint> {
  return pulumi.output({ server, ca }).apply((known) => {
    refuse(what, clusterChecks(known));
    return known;
  });
}

/** What is wrong with server and CA, as far as they are known. */
function clusterChecks({ server, ca }: ClusterSpec): Check[] {
  const { error } = clusterSchema.safeParse({ server, ca }, REQUIRED);
  return error ? problemsOf(error, "cluster") : [];
}
