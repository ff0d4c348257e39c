import * as pulumi from "@pulumi/pulumi";
import { PATHS } from "../cluster/names";
import { BootstrapToken } from "../tokens/bootstrapToken";
import { tokenGroupOf } from "../tokens/tokenGroup";
import type { TokenUsage } from "../tokens/tokenUsage";
import { type ResolvedScaleGroup, resolveScaleGroup } from "../spec/resolve";
import type { ClusterSpec, EnvironmentSpec, ScaleGroupSpec } from "../spec/specs";
import { refuse } from "../validation/refuse";
import { configHashOfGroup, scriptBundle } from "../worker/userData/machineFiles";
import { renderUserData, userDataBytes, userDataProblem } from "../worker/userData/userData";

export interface ScaleGroupArgs extends ScaleGroupSpec {
  /** The API server as the machines reach it. */
  readonly cluster: ClusterSpec;
  /**
   * What the machines share with the workers of pools. How to log in by SSH is not used. Required with `userData`.
   * @default none
   */
  readonly environment?: EnvironmentSpec;
  /**
   * Name of the ValidatingAdmissionPolicy that allows the token the names of its group only. Each machine proves that the policy denies other
   * names.
   * @default nothing is proved
   */
  readonly joinPolicyName?: string;
  /** Secret: kubeconfig of kube-proxy. Required with `userData` and `kubeProxy.mode: unit`. See {@link KubeProxy.kubeconfig}. */
  readonly kubeProxyKubeconfig?: pulumi.Input<string>;
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
 * The bootstrap token of machines that come and go without Pulumi, and the user data with which they join by themselves.
 *
 * The first update in the second half of a token's lifetime mints the next token. The old token stays valid until it expires, for machines
 * that start with it. Without an update in time, no token is valid.
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
  /** Secret: user data for the group's machines. Undefined unless `userData` is set. */
  readonly userData?: pulumi.Output<string>;
  /** Size of the user data. Previews know it. Undefined unless `userData` is set. */
  readonly userDataBytes?: pulumi.Output<number>;
  /** Hash of the files that new nodes run with, as the nodes report it. Undefined unless `userData` is set. */
  readonly configHash?: pulumi.Output<string>;
  /** What `userData.bundleUrl` must serve: the scripts of this version of the module, as text. */
  readonly bundle: string;

  constructor(name: string, args: ScaleGroupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ScaleGroup", name, {}, opts);
    const { tokenGroups, tokenUsages, joinPolicyName, kubeProxyKubeconfig, ...spec } = args;
    const group = resolveScaleGroup(`ScaleGroup '${name}'`, spec);
    const needsCredential = group.machines?.settings.kubeProxy.mode === "unit" && kubeProxyKubeconfig === undefined;
    refuse(`ScaleGroup '${name}'`, [
      ["kubeProxyKubeconfig", needsCredential ? "is required with kubeProxy.mode 'unit'" : undefined],
    ]);
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
    this.bundle = scriptBundle().text;
    const rendered = this.#render(group, token, { joinPolicyName, kubeProxyKubeconfig });
    this.userData = rendered?.userData;
    this.userDataBytes = rendered?.bytes;
    this.configHash = rendered?.configHash;
    this.registerOutputs({ userDataBytes: this.userDataBytes, configHash: this.configHash });
  }

  /** @throws pulumi.RunError when the user data is too large, as soon as the cluster is known. */
  #render(
    group: ResolvedScaleGroup,
    token: BootstrapToken,
    { joinPolicyName, kubeProxyKubeconfig }: Pick<ScaleGroupArgs, "joinPolicyName" | "kubeProxyKubeconfig">,
  ): { userData: pulumi.Output<string>; bytes: pulumi.Output<number>; configHash: pulumi.Output<string> } | undefined {
    const { cluster, machines } = group;
    if (!machines) return undefined;
    const urn = new Promise<string>((resolve) => void this.urn.apply(resolve));
    const facts = pulumi
      .all([cluster, urn])
      .apply(([endpoint, owner]) => ({ cluster: endpoint, owner, joinPolicyName }));
    const bytes = facts.apply((known) => {
      const size = userDataBytes(group, machines, known);
      refuse("userData", [[`of scale group ${group.name}`, userDataProblem(size, machines.userData)]]);
      return size;
    });
    // The step kubelet writes the CA's file before the join.
    const bootstrapKubeconfig = token.bootstrapKubeconfig(
      cluster.apply(({ server }) => ({ server, caFile: PATHS.ca })),
    );
    const userData = pulumi
      .all([facts, bootstrapKubeconfig, kubeProxyKubeconfig, bytes])
      .apply(([known, kubeconfig, ofKubeProxy]) =>
        renderUserData(group, machines, known, {
          bootstrapKubeconfig: kubeconfig,
          kubeProxyKubeconfig: ofKubeProxy,
        }),
      );
    const configHash = facts.apply((known) => configHashOfGroup(group, machines.settings, known));
    return { userData: pulumi.secret(userData), bytes, configHash };
  }
}
