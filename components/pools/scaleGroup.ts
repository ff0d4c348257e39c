import * as pulumi from "@pulumi/pulumi";
import { BootstrapToken, type TokenUsage } from "../tokens/bootstrapToken";
import type { ClusterEndpoint } from "../cluster/kubeconfig";
import { refuse } from "../validation/refuse";
import { problemsOf, type ScaleGroupSpec, scaleGroups } from "../spec/schema";
import { tokenGroupOf } from "./workerPool";

export interface ScaleGroupArgs {
  readonly group: ScaleGroupSpec;
  /** Server and CA that the machines trust. */
  readonly cluster: pulumi.Input<ClusterEndpoint>;
  /**
   * Groups of the token besides its own `system:bootstrappers:<name>`.
   * @default []
   */
  readonly tokenGroups?: string[];
  /** @default ["authentication"] */
  readonly tokenUsages?: TokenUsage[];
}

/**
 * The bootstrap token of machines that come and go by themselves. It is valid at any time: the first update after half of its life mints a
 * new one, and the old one lives on to its own expiry, for machines that start with it.
 */
export class ScaleGroup extends pulumi.ComponentResource {
  readonly token: BootstrapToken;
  /** The kubeconfig with the token; secret. */
  readonly bootstrapKubeconfig: pulumi.Output<string>;

  constructor(name: string, args: ScaleGroupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ScaleGroup", name, {}, opts);
    const { group, cluster, tokenGroups = [], tokenUsages } = args;
    refuse(`ScaleGroup '${name}'`, problemsOf(scaleGroups, [group], "scaleGroups"));
    this.token = new BootstrapToken(
      `${name}-token`,
      {
        groups: [tokenGroupOf(group.name), ...tokenGroups],
        mintedFor: group.namePrefix,
        ttl: group.tokenTtl ?? "72h",
        renewal: "half-life",
        usages: tokenUsages,
        description: `tls-bootstrap: joins machines of scale group ${group.name}`,
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.bootstrapKubeconfig = this.token.bootstrapKubeconfig(cluster);
    this.registerOutputs({});
  }
}
