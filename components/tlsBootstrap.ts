import * as pulumi from "@pulumi/pulumi";
import { ClusterInfo } from "./cluster/clusterInfo";
import { NodeBootstrapRbac } from "./cluster/nodeBootstrapRbac";
import { type Check, refuse } from "./refuse";
import * as rules from "./rules";
import { type PoolSpec, pools, problemsOf } from "./schema";
import type { JoinReceipt } from "./worker/receipt";
import type { WorkerEnvironment } from "./worker/worker";
import { tokenGroupOf, WorkerPool } from "./worker/workerPool";

export interface TlsBootstrapArgs extends Omit<WorkerEnvironment, "cluster"> {
  /** The API server as workers reach it, and the CA it proves itself with. */
  readonly cluster: { readonly server: pulumi.Input<string>; readonly ca: pulumi.Input<string> };
  readonly pools: readonly PoolSpec[];
  /**
   * `create`: publish kube-public/cluster-info for joiners that know only a token. `off`: leave it alone, where another
   * installer made it or nobody needs it; the workers of this module do not.
   * @default "create"
   */
  readonly clusterInfo?: "create" | "off";
  /**
   * Life of bootstrap tokens, counted from their minting; 5m to 30d.
   * @default "1h"
   */
  readonly tokenTtl?: string;
}

/**
 * Everything that turns bare VMs into nodes of one cluster. It declares the cluster's side through the Kubernetes provider that
 * it is given (`{ providers: { kubernetes } }`), and the VMs' side over SSH.
 *
 * @throws pulumi.RunError with every problem of the arguments, before anything is declared.
 */
export class TlsBootstrap extends pulumi.ComponentResource {
  /** Bootstrap tokens by pool: the public id and the expiry (RFC 3339). */
  readonly tokens: pulumi.Output<Record<string, { id: string; expires: string }>>;
  /** Bootstrap kubeconfigs by pool; secret. */
  readonly bootstrapKubeconfigs: pulumi.Output<Record<string, string>>;
  /** What cluster-info publishes; undefined when that is off. */
  readonly clusterInfoKubeconfig: pulumi.Output<string | undefined>;
  /** Receipts by node name. */
  readonly receipts: pulumi.Output<Record<string, JoinReceipt>>;

  constructor(name: string, args: TlsBootstrapArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:TlsBootstrap", name, {}, opts);
    const { cluster, clusterInfo = "create", pools: specs, ...common } = args;
    refuse(`TlsBootstrap '${name}'`, [
      ...problemsOf(pools, specs, "pools"),
      ["kubernetesVersion", rules.kubernetesVersion(common.kubernetesVersion), common.kubernetesVersion],
      ...endpointChecks(cluster),
    ]);
    // These two only: whatever else the caller's object holds may be secret, and would make the files on the workers secret too.
    const endpoint = pulumi.output({ server: cluster.server, ca: cluster.ca }).apply((known) => {
      refuse(`TlsBootstrap '${name}'`, endpointChecks(known));
      return known;
    });
    const inside = { parent: this };

    const rbac = new NodeBootstrapRbac(name, { groups: specs.map((pool) => tokenGroupOf(pool.name)) }, inside);
    const info =
      clusterInfo === "create"
        ? new ClusterInfo(`${name}-cluster-info`, { server: endpoint.server, ca: endpoint.ca }, inside)
        : undefined;
    const members = Object.fromEntries(
      specs.map((pool) => [
        pool.name,
        new WorkerPool(
          `${name}-${pool.name}`,
          {
            ...common,
            cluster: endpoint,
            pool,
            tokenUsages: info ? ["authentication", "signing"] : ["authentication"],
            prerequisites: [rbac],
          },
          inside,
        ),
      ]),
    );

    const perPool = <T>(of: (pool: WorkerPool) => T) =>
      Object.fromEntries(Object.entries(members).map(([pool, member]) => [pool, of(member)]));
    this.tokens = pulumi.output(perPool(({ token }) => ({ id: token.id, expires: token.expires })));
    this.bootstrapKubeconfigs = pulumi.secret(pulumi.output(perPool((pool) => pool.bootstrapKubeconfig)));
    this.clusterInfoKubeconfig = pulumi.output(info?.kubeconfig);
    this.receipts = pulumi
      .output(Object.values(members).map((pool) => pulumi.output(pool.receipts)))
      .apply((receipts) => Object.assign({}, ...receipts) as Record<string, JoinReceipt>);
    this.registerOutputs({
      tokens: this.tokens,
      bootstrapKubeconfigs: this.bootstrapKubeconfigs,
      clusterInfoKubeconfig: this.clusterInfoKubeconfig,
      receipts: this.receipts,
    });
  }
}

/** What is wrong with server and CA, as far as they are known: they may be outputs of other resources. */
function endpointChecks({ server, ca }: TlsBootstrapArgs["cluster"]): Check[] {
  return [
    ...(typeof server === "string" ? [["cluster.server", rules.apiServer(server), server] as const] : []),
    ...(typeof ca === "string" ? [["cluster.ca", rules.caCertificates(ca)] as const] : []),
  ];
}
