/**
 * From what a user wrote to what the components need: check, fill in defaults, and inherit (all → pool → worker). A resolved spec is marked, so that a component which
 * gets one from another component does not resolve it again.
 */
import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { ClusterEndpoint } from "../cluster/kubeconfig";
import { KUBEADM_GROUP, WORKER_LABEL } from "../cluster/names";
import type { KubeletConfiguration } from "../kubelet/KubeletConfiguration";
import { skewChecks } from "../kubelet/versionSkew";
import { canonicalNodeAddress, nodeAddressProblem } from "../validation/addresses";
import { merge } from "../validation/maps";
import { problemsOf, REQUIRED } from "../validation/problems";
import { type Check, refuse } from "../validation/refuse";
import * as rules from "../validation/rules";
import { Machines } from "./machines";
import { clusterSchema, type Environment, environmentSchema } from "./bootstrapSchema";
import {
  checkBootstrap,
  type CheckedBootstrap,
  type CheckedPool,
  type CheckedWorker,
  isChecked,
  NODE_ADDRESS_REQUIRED,
} from "./check";
import { resolvedDrain } from "./drainSchema";
import type { workerSchema } from "./poolSchema";
import { servingModeOfGroups } from "./scaleGroupChecks";
import { type ScaleGroupSetting, scaleGroupSchema, type UserData } from "./scaleGroupSchema";
import { resolvedRollout, type Rollout } from "./rolloutSchema";
import { resolvedSsh } from "./sshSchema";
import type { BootstrapSpec, ClusterSpec, EnvironmentSpec, PoolSpec, ScaleGroupSpec, WorkerSpec } from "./specs";

export interface Cluster extends ClusterEndpoint {
  /** See {@link ClusterSpec.clientCa}. */
  readonly clientCa: string;
}

type WorkerSetting = z.output<typeof workerSchema>;

/** A worker with everything it needs. */
export interface ResolvedWorker
  extends Environment, Required<Omit<WorkerSetting, "nodeAddress" | "machine">>, Pick<WorkerSetting, "machine"> {
  readonly nodeAddress: pulumi.Input<string>;
  readonly cluster: pulumi.Output<Cluster>;
  /** How long it must stay healthy after a change. */
  readonly pauseSeconds: number;
  /** The end of the batch before this worker's, see {@link WorkerPool}. */
  readonly after?: pulumi.Resource;
  /** Shared by workers that must be different machines. */
  readonly machines: Machines;
}

/** What a worker of a pool and a machine of a scale group both have. */
export type MachineSettings = Environment &
  Pick<ResolvedWorker, "generation" | "kubelet" | "kubeletFlags" | "name" | "pauseSeconds">;

export interface ResolvedPool extends Environment {
  readonly name: string;
  readonly tokenTtl: string;
  /** Undefined when all workers change at once. */
  readonly rollout?: Rollout;
  readonly cluster: pulumi.Output<Cluster>;
  readonly workers: ResolvedWorker[];
}

/** The workers of a pool that have a Node: all that are not lost. */
export const presentNodes = ({ workers }: Pick<ResolvedPool, "workers">): ResolvedWorker[] =>
  workers.filter(({ lost }) => !lost);

export interface ResolvedScaleGroup extends Omit<ScaleGroupSetting, "userData"> {
  readonly cluster: pulumi.Output<Cluster>;
  /** Undefined when the group has only a token. */
  readonly machines?: { readonly settings: MachineSettings; readonly userData: UserData };
}

export interface ResolvedBootstrap extends Omit<CheckedBootstrap, "pools" | "scaleGroups"> {
  readonly cluster: pulumi.Output<Cluster>;
  readonly pools: readonly ResolvedPool[];
  readonly scaleGroups: readonly ResolvedScaleGroup[];
}

/** Marks resolved specs. A copy by `{ ...spec }` keeps the mark. */
const RESOLVED = Symbol("resolved");

const isResolved = <T extends ResolvedPool | ResolvedScaleGroup | ResolvedWorker>(value: object): value is T =>
  RESOLVED in value;

/**
 * @param what names the component in errors
 * @param scope of the stack, for the label of its Nodes
 * @throws pulumi.RunError with all problems
 */
export function resolveBootstrap(
  what: string,
  args: BootstrapSpec & EnvironmentSpec & { cluster: ClusterSpec },
  scope?: string,
): ResolvedBootstrap {
  const { cluster, ...given } = args;
  const { checks, spec } = isChecked(given) ? { checks: [], spec: given } : checkBootstrap({ ...given });
  refuse(what, [...checks, ...clusterChecks(cluster), ...skewsFrom(cluster, given)]);
  const machines = new Machines();
  const endpoint = resolveCluster(what, cluster);
  const { pools, clusterInfo, bindings, joinPolicy, scaleGroups, tokenTtl, kubelet, ...environment } = spec!;
  return {
    ...{ ...environment, clusterInfo, joinPolicy, tokenTtl, kubelet, cluster: endpoint },
    scaleGroups: scaleGroups.map((group) => resolvedGroup({ ...environment, cluster: endpoint }, kubelet, group)),
    bindings: { ...bindings, group: bindings.group ?? (bindings.mode === "existing" ? KUBEADM_GROUP : undefined) },
    pools: pools.map((pool) =>
      resolvedPool(
        { ...environment, cluster: endpoint, machines, tokenTtl, scope },
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
  if (isResolved<ResolvedPool>(args)) return args;
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
  if (isResolved<ResolvedWorker>(args)) return args;
  const { cluster, ...rest } = args;
  const [environment, worker] = divided(rest);
  const pools = [{ name: "none", workers: [worker] }];
  const [{ workers }] = resolveSingle(what, { ...environment, pools }, cluster, "pools[0].workers[0]").pools;
  return { ...workers[0], labels: { ...(worker.labels as object), ...declaredLabel() } };
}

/** One scale group by itself, see {@link resolveBootstrap}. */
export function resolveScaleGroup(
  what: string,
  args: ScaleGroupSpec & { cluster: ClusterSpec; environment?: EnvironmentSpec },
): ResolvedScaleGroup {
  if (isResolved<ResolvedScaleGroup>(args)) return args;
  const { cluster, environment, ...group } = args;
  refuse(what, [["environment", group.userData && !environment ? "is required with 'userData'" : undefined]]);
  if (environment) {
    const given = { ...environment, pools: [{ name: "none", workers: [] }], scaleGroups: [group] };
    return resolveSingle(what, given, cluster, "scaleGroups[0]").scaleGroups[0];
  }
  const { data, error } = scaleGroupSchema.safeParse(group, REQUIRED);
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
  const alone = [...checks, ...skewsFrom(cluster, given)].map(([where, problem, value]): Check => [
    where.startsWith(place) ? where.slice(place.length).replace(/^\./, "") : where,
    problem?.replaceAll(`${place}.`, ""),
    value,
  ]);
  refuse(what, [...alone, ...clusterChecks(cluster)]);
  return resolveBootstrap(what, { ...spec!, cluster });
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

type PoolEnvironment = Environment &
  Pick<ResolvedWorker, "cluster" | "machines"> &
  Pick<ResolvedPool, "tokenTtl"> & { readonly scope: string | undefined };

/** The label of a declared Node. */
const declaredLabel = (scope = "true"): Record<string, string> => ({ [WORKER_LABEL]: scope });

function resolvedGroup(
  { cluster, ...environment }: Environment & Pick<ResolvedPool, "cluster">,
  kubelet: KubeletConfiguration,
  { userData, ...group }: ScaleGroupSetting,
): ResolvedScaleGroup {
  const { servingCertificates } = environment;
  const settings = {
    ...environment,
    ...{ name: group.name, generation: 1, pauseSeconds: 0, kubeletFlags: group.kubeletFlags },
    kubernetesVersion: group.kubernetesVersion ?? environment.kubernetesVersion,
    runtime: group.runtime ?? environment.runtime,
    kubelet: merge(kubelet, group.kubelet),
    servingCertificates: { ...servingCertificates, mode: servingModeOfGroups(servingCertificates.mode) },
  };
  return { ...group, cluster, ...(userData && { machines: { settings, userData } }), ...{ [RESOLVED]: true } };
}

/** @param nameOf names a worker in errors */
function resolvedPool(
  { tokenTtl, scope, ...shared }: PoolEnvironment,
  kubelet: KubeletConfiguration,
  { workers, ...pool }: CheckedPool,
  nameOf: (worker: number) => string,
): ResolvedPool {
  const environment = {
    ...shared,
    kubernetesVersion: pool.kubernetesVersion ?? shared.kubernetesVersion,
    runtime: pool.runtime ?? shared.runtime,
    airGap: pool.airGap ?? shared.airGap,
    drain: resolvedDrain(shared.drain, pool.drain),
    ssh: resolvedSsh(shared.ssh, pool.ssh),
  };
  const ofPool = merge(kubelet, pool.kubelet);
  return {
    ...environment,
    ...{ name: pool.name, tokenTtl, [RESOLVED]: true },
    ...(pool.rollout && { rollout: resolvedRollout(pool.rollout, workers.filter(({ lost }) => !lost).length) }),
    workers: workers.map((worker, i) => ({
      ...environment,
      ...worker,
      ...addressesOf(nameOf(i), worker),
      kubernetesVersion: worker.kubernetesVersion ?? environment.kubernetesVersion,
      labels: {
        [`node-role.kubernetes.io/${pool.name}`]: "",
        ...pool.labels,
        ...worker.labels,
        ...declaredLabel(scope),
      },
      taints: [...pool.taints, ...worker.taints],
      kubelet: merge(ofPool, worker.kubelet),
      pauseSeconds: pool.rollout?.pauseSeconds ?? 0,
      kubeletFlags: { ...pool.kubeletFlags, ...worker.kubeletFlags },
      [RESOLVED]: true,
    })),
  };
}

/** Addresses and host key. What is known only later is checked then, before a step uses it. */
function addressesOf(what: string, worker: CheckedWorker) {
  const address = checkedLater(what, "address", worker.address, rules.host);
  const registered = worker.nodeAddress === worker.address ? address : worker.nodeAddress;
  const nodeAddress = checkedLater(what, "nodeAddress", registered, (value) =>
    nodeAddressProblem(value) ? NODE_ADDRESS_REQUIRED : undefined,
  );
  return {
    address,
    nodeAddress: typeof nodeAddress === "string" ? nodeAddress : pulumi.output(nodeAddress).apply(canonicalNodeAddress),
    hostKey: checkedLater(what, "hostKey", worker.hostKey, rules.hostKey),
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

const skewsFrom = ({ kubernetesVersion }: ClusterSpec, given: Readonly<Record<string, unknown>>): Check[] =>
  skewChecks({ version: kubernetesVersion, source: "cluster.kubernetesVersion" }, given);

/**
 * Server and CAs, and nothing else: whatever else the caller's object holds may be secret, and would make the files on the workers secret too.
 */
function resolveCluster(what: string, { server, ca, clientCa }: ClusterSpec): pulumi.Output<Cluster> {
  return pulumi.output({ server, ca, clientCa }).apply((known) => {
    refuse(what, clusterChecks(known));
    return { ...known, clientCa: known.clientCa ?? known.ca };
  });
}

/** What is wrong with server, CAs and version, as far as they are known. */
function clusterChecks({ server, ca, clientCa, kubernetesVersion }: ClusterSpec): Check[] {
  const { error } = clusterSchema.safeParse({ server, ca, clientCa, kubernetesVersion }, REQUIRED);
  return error ? problemsOf(error, "cluster") : [];
}
