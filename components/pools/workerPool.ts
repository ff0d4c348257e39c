import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { RandomString } from "@pulumi/random";
import type { ClaimPolicies } from "../admission/joinPolicy";
import { PATHS } from "../cluster/names";
import { presentNodes, type ResolvedPool, type ResolvedWorker, resolvePool } from "../spec/resolve";
import type { ClusterSpec, EnvironmentSpec, PoolSpec } from "../spec/specs";
import { batchesOf } from "./batches";
import { BootstrapToken } from "../tokens/bootstrapToken";
import { tokenGroupOf } from "../tokens/tokenGroup";
import type { TokenUsage } from "../tokens/tokenUsage";
import type { JoinReceipt } from "../worker/receipt";
import { machineOf } from "../worker/steps/step";
import { Worker } from "../worker/worker";

export interface WorkerPoolArgs extends EnvironmentSpec, Omit<PoolSpec, "ssh"> {
  /** Version of Kubernetes on the workers that have no version of their own. */
  readonly kubernetesVersion: string;
  /** The API server as the workers reach it. */
  readonly cluster: ClusterSpec;
  /**
   * Lifetime of the pool's bootstrap token, 5m to 30d. See {@link BootstrapTokenArgs.ttl}.
   * @default "1h"
   */
  readonly tokenTtl?: string;
  /**
   * Groups of the pool's token.
   * @default ["system:bootstrappers:<pool>"]
   */
  readonly tokenGroups?: string[];
  /**
   * What the token may be used for, see {@link TokenUsage}.
   * @default ["authentication"]
   */
  readonly tokenUsages?: TokenUsage[];
  /**
   * The policies that restrain the pool's token, from {@link JoinPolicy.policies}. Each join proves the one for names. The one for Ready
   * nodes is bound while the token is valid.
   * @default none: whoever holds the token may claim any node name
   */
  readonly joinPolicy?: ClaimPolicies;
  /** Secret: kubeconfig of kube-proxy. See {@link WorkerArgs.kubeProxyKubeconfig}. */
  readonly kubeProxyKubeconfig?: pulumi.Input<string>;
  /**
   * Prefix of the workers' resource names. A worker keeps its resources when it moves between pools with the same prefix.
   * @default the name of this resource
   */
  readonly workerPrefix?: string;
}

/**
 * Workers that share settings, and their bootstrap token. An update mints a new token when the pool's members, their machines or their
 * generations change. The same update revokes the token after all workers have joined. The token and the joins wait for the resources in
 * `dependsOn`.
 *
 * @throws pulumi.RunError with all problems of the arguments, before anything is declared.
 */
export class WorkerPool extends pulumi.ComponentResource {
  /** The token's public id. */
  readonly tokenId: pulumi.Output<string>;
  /** When the token would expire if the update did not revoke it before, RFC 3339. */
  readonly tokenExpires: pulumi.Output<string>;
  /** Secret: kubeconfig with the pool's token. */
  readonly bootstrapKubeconfig: pulumi.Output<string>;
  /** Receipts of the joins, by node name. */
  readonly receipts: Record<string, pulumi.Output<JoinReceipt>>;

  constructor(name: string, args: WorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:WorkerPool", name, {}, opts);
    const { joinPolicy, tokenGroups, tokenUsages, kubeProxyKubeconfig, workerPrefix = name, ...spec } = args;
    const pool = resolvePool(`WorkerPool '${name}'`, spec);
    const nodes = presentNodes(pool);
    const token = new BootstrapToken(
      `${name}-token`,
      {
        groups: tokenGroups ?? [tokenGroupOf(pool.name)],
        mintedFor: membersHash(pool),
        ttl: pool.tokenTtl,
        usages: tokenUsages,
        // A selector needs at least one name.
        readyNodes:
          joinPolicy && nodes.length > 0
            ? { policy: joinPolicy.readyNodes, nodes: nodes.map((node) => node.name) }
            : undefined,
        description: `tls-bootstrap: joins workers of pool ${pool.name}`,
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.tokenId = token.id;
    this.tokenExpires = token.expires;
    this.bootstrapKubeconfig = token.bootstrapKubeconfig(pool.cluster);

    // The kubelet copies the CA reference into its own kubeconfig. The reference is a file, so a new CA needs no new kubeconfig.
    const bootstrapKubeconfig = token.bootstrapKubeconfig(
      pool.cluster.apply(({ server }) => ({ server, caFile: PATHS.ca })),
    );
    const { servingCertificates } = pool;
    const { mintCommand } = token;
    const shared = {
      servingCertificates,
      bootstrapKubeconfig,
      mintCommand,
      joinPolicyName: joinPolicy?.names,
      kubeProxyKubeconfig,
    };
    const workers = this.#inBatches(
      name,
      pool,
      (worker) =>
        new Worker(
          `${workerPrefix}-${worker.name}`,
          { ...worker, ...shared },
          { parent: this, dependsOn: opts?.dependsOn },
        ),
    );
    token.revokeAfter(
      workers.map((worker) => worker.lastStep()),
      { parent: this },
    );
    this.receipts = Object.fromEntries(
      workers.flatMap(({ receipt }, i) => (receipt ? [[pool.workers[i].name, receipt]] : [])),
    );
    this.registerOutputs({ receipts: this.receipts });
  }

  /**
   * Declares the workers. The steps that disrupt the workers of a batch wait for those of the batch before. One resource stands between two
   * batches, because an edge for each pair of workers would be too many. Joins do not wait for each other.
   */
  #inBatches(name: string, { workers, rollout }: ResolvedPool, declare: (worker: ResolvedWorker) => Worker): Worker[] {
    let after: pulumi.Resource | undefined;
    return batchesOf(workers, rollout).flatMap((batch, i, { length }) => {
      const declared = batch.map((worker) => declare({ ...worker, after }));
      const dependsOn = declared.flatMap((worker) => worker.disruption() ?? []);
      if (i < length - 1)
        after = new RandomString(`${name}-batch-${i + 1}`, { length: 1 }, { parent: this, dependsOn });
      return declared;
    });
  }
}

/** Hash of members, machines and generations. A change mints a new token. */
function membersHash(pool: ResolvedPool): pulumi.Output<string> {
  const workers = presentNodes(pool);
  return pulumi.all(workers.map(machineOf)).apply((machines) => {
    const members = workers.map(({ name, generation }, i) => `${name} ${generation} ${machines[i]}`);
    return createHash("sha256").update(members.sort().join("\n")).digest("hex").slice(0, 16);
  });
}
