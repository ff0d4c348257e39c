import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { BootstrapToken, type TokenUsage } from "../tokens/bootstrapToken";
import { airGapChecks } from "../downloads/airGap";
import { kubeletChecks } from "../kubelet/levels";
import { BOOTSTRAPPERS_GROUP, PATHS } from "../cluster/names";
import { refuse } from "../validation/refuse";
import type { RuntimeSpec } from "../runtime/runtimeSpec";
import { type PoolSpec, pools, problemsOf } from "../spec/schema";
import { merge } from "../kubelet/kubeletConfig";
import type { JoinReceipt } from "../worker/receipt";
import { machineOf, Worker, type WorkerEnvironment } from "../worker/worker";

export interface WorkerPoolArgs extends WorkerEnvironment {
  readonly pool: PoolSpec;
  /**
   * Life of the pool's bootstrap token, see {@link BootstrapTokenArgs.ttl}.
   * @default "1h"
   */
  readonly tokenTtl?: string;
  /**
   * Groups of the token besides its own `system:bootstrappers:<pool>`.
   * @default []
   */
  readonly tokenGroups?: string[];
  /** @default ["authentication"] */
  readonly tokenUsages?: TokenUsage[];
  /** What must be there before a worker asks for its certificate, besides the token. */
  readonly prerequisites?: pulumi.Input<pulumi.Resource>[];
}

/**
 * Workers that are alike, and the bootstrap token they join with. The token is minted when there is somebody to join: a worker
 * that is new, moved to another machine, or of a raised generation.
 */
export class WorkerPool extends pulumi.ComponentResource {
  readonly token: BootstrapToken;
  /** The kubeconfig with the pool's token; secret. */
  readonly bootstrapKubeconfig: pulumi.Output<string>;
  /** Receipts by node name. */
  readonly receipts: Record<string, pulumi.Output<JoinReceipt>>;

  constructor(name: string, args: WorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:WorkerPool", name, {}, opts);
    const { pool, tokenTtl, tokenGroups = [], tokenUsages, prerequisites = [], ...environment } = args;
    refuse(`WorkerPool '${name}'`, [
      ...problemsOf(pools, [pool], "pools"),
      ...kubeletChecks(environment.kubernetesVersion, { pools: [pool] }),
      ...airGapChecks(environment, [pool]),
    ]);

    this.token = new BootstrapToken(
      `${name}-token`,
      {
        groups: [tokenGroupOf(pool.name), ...tokenGroups],
        mintedFor: joinersOf(pool, pool.runtime ?? environment.runtime),
        ttl: tokenTtl,
        usages: tokenUsages,
        description: `tls-bootstrap: joins workers of pool ${pool.name}`,
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.bootstrapKubeconfig = this.token.bootstrapKubeconfig(environment.cluster);

    // A kubelet's kubeconfig takes over from this one how the CA is named: by the file, so that a CA that rolls needs no new kubeconfig.
    const bootstrapKubeconfig = this.token.bootstrapKubeconfig(
      pulumi.output(environment.cluster).apply(({ server }) => ({ server, caFile: PATHS.ca })),
    );
    this.receipts = Object.fromEntries(
      pool.workers.map((spec) => {
        const worker = new Worker(
          `${name}-${spec.name}`,
          {
            ...environment,
            ...(pool.runtime && { runtime: pool.runtime }),
            ...(pool.airGap && { airGap: pool.airGap }),
            ...spec,
            labels: { [`node-role.kubernetes.io/${pool.name}`]: "", ...pool.labels, ...spec.labels },
            taints: [...(pool.taints ?? []), ...(spec.taints ?? [])],
            kubelet: merge(pool.kubelet ?? {}, spec.kubelet ?? {}),
            kubeletFlags: { ...pool.kubeletFlags, ...spec.kubeletFlags },
            bootstrapKubeconfig,
            mintCommand: this.token.mintCommand,
            prerequisites,
          },
          { parent: this },
        );
        return [spec.name, worker.receipt];
      }),
    );
    this.registerOutputs({ receipts: this.receipts });
  }
}

/** The group of the tokens of a pool or scale group. */
export const tokenGroupOf = (name: string): string => `${BOOTSTRAPPERS_GROUP}:${name}`;

/** A digest of who may have to join: another machine, another generation or another member makes another one. */
function joinersOf({ workers }: PoolSpec, runtime?: RuntimeSpec): string {
  const members = workers.map(
    (worker) => `${worker.name} ${worker.generation ?? 1} ${machineOf({ ...worker, runtime })}`,
  );
  return createHash("sha256").update(members.sort().join("\n")).digest("hex").slice(0, 16);
}
