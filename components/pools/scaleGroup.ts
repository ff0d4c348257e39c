import * as pulumi from "@pulumi/pulumi";
import { BootstrapToken } from "../tokens/bootstrapToken";
import { tokenGroupOf } from "../tokens/tokenGroup";
import type { TokenUsage } from "../tokens/tokenUsage";
import { resolveScaleGroup } from "../spec/resolve";
import type { ClusterSpec, ScaleGroupSpec } from "../spec/specs";

export interface ScaleGroupArgs extends ScaleGroupSpec {
  /** The API server as the machines reach it. */
  readonly cluster: ClusterSpec;
  /**
   * Groups of the token.
   * @default ["system:bootstrappers:<name>"]
   */
  readonly tokenGroups?: string[];
  /**
   * What the token may be used for, see {@link TokenUsage}.
   * @default ["authentication"]
   */
  readonly tokenUsages?: TokenUsage[];
}

/**
 * The bootstrap token of machines that come and go without Pulumi. The first update in the second half of a token's lifetime mints the next
 * token. The old token stays valid until it expires, for machines that start with it. Without an update in time, no token is valid.
 *
 * @throws pulumi.RunError with all problems of the arguments, before anything is declared.
 */
export class ScaleGroup extends pulumi.ComponentResource {
  /** The token's public id. */
  readonly tokenId: pulumi.Output<string>;
  /** When the token expires, RFC 3339. */
  readonly tokenExpires: pulumi.Output<string>;
  /** Secret: kubeconfig with the token. */
  readonly bootstrapKubeconfig: pulumi.Output<string>;

  constructor(name: string, args: ScaleGroupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ScaleGroup", name, {}, opts);
    const { tokenGroups, tokenUsages, ...spec } = args;
    const group = resolveScaleGroup(`ScaleGroup '${name}'`, spec);
    const token = new BootstrapToken(
      `${name}-token`,
      {
        groups: tokenGroups ?? [tokenGroupOf(group.name)],
        mintedFor: group.namePrefix,
        ttl: group.tokenTtl,
        renewal: "half-life",
        usages: tokenUsages,
        description: `tls-bootstrap: joins machines of scale group ${group.name}`,
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.tokenId = token.id;
    this.tokenExpires = token.expires;
    this.bootstrapKubeconfig = token.bootstrapKubeconfig(group.cluster);
    this.registerOutputs({});
  }
}
