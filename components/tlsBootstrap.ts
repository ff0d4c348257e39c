import * as pulumi from "@pulumi/pulumi";
import { JoinPolicy } from "./admission/joinPolicy";
import { SCALE_GROUP_LABEL } from "./admission/readyNodes";
import { ClusterInfo } from "./cluster/clusterInfo";
import { BOOTSTRAPPERS_GROUP, WORKER_LABEL } from "./cluster/names";
import { NodeBootstrapRbac } from "./cluster/nodeBootstrapRbac";
import { scopeOf } from "./cluster/scope";
import { KubeProxy } from "./kubeProxy/kubeProxy";
import { ScaleGroup } from "./pools/scaleGroup";
import { WorkerPool } from "./pools/workerPool";
import { CsrApprover } from "./serving/csrApprover";
import { ServingCa } from "./serving/servingCa";
import { ServingPolicy } from "./serving/servingPolicy";
import { presentNodes, type ResolvedBootstrap, resolveBootstrap } from "./spec/resolve";
import type { CertificateAuthority } from "./spec/servingSchema";
import type { BootstrapSpec, ClusterSpec, EnvironmentSpec } from "./spec/specs";
import { tokenGroupOf } from "./tokens/tokenGroup";
import type { TokenUsage } from "./tokens/tokenUsage";
import { refuseWithoutAgent } from "./worker/connection";
import type { JoinReceipt } from "./worker/receipt";

export interface TlsBootstrapArgs extends EnvironmentSpec, BootstrapSpec {
  /** The API server as the workers reach it. */
  readonly cluster: ClusterSpec;
}

/** The public part of a bootstrap token. */
export interface TokenInfo {
  readonly id: string;
  /** RFC 3339. A pool's token is revoked when its workers have joined. */
  readonly expires: string;
  /** Whether the token is for the machines of a scale group. Updates renew such a token. */
  readonly scaleGroup: boolean;
}

/** The public part of what the machines of a scale group get. */
export interface ScaleGroupInfo {
  /** Size of the user data. */
  readonly userDataBytes: number;
  /** Hash of the files that new nodes run with, as the nodes report it. */
  readonly configHash: string;
}

/**
 * Everything that turns bare VMs into nodes of one cluster. The cluster's side is declared through the Kubernetes provider of the options
 * (`{ providers: { kubernetes } }`), the VMs' side over SSH.
 *
 * @throws pulumi.RunError with all problems of the arguments, before anything is declared.
 */
export class TlsBootstrap extends pulumi.ComponentResource {
  /** Bootstrap tokens by pool and scale group. */
  readonly tokens: pulumi.Output<Record<string, TokenInfo>>;
  /** Bootstrap kubeconfigs by pool and scale group; secret. Only those of scale groups are valid after the update. */
  readonly bootstrapKubeconfigs: pulumi.Output<Record<string, string>>;
  /** User data by scale group; secret. Only of those with the setting `userData`. */
  readonly userData: pulumi.Output<Record<string, string>>;
  /** What new machines get, by scale group. Only of those with the setting `userData`. */
  readonly scaleGroups: pulumi.Output<Record<string, ScaleGroupInfo>>;
  /** What `userData.bundleUrl` must serve. Undefined when no scale group has one. */
  readonly scaleGroupBundle: pulumi.Output<string | undefined>;
  /** What cluster-info publishes. Undefined when `clusterInfo` is off. */
  readonly clusterInfoKubeconfig: pulumi.Output<string | undefined>;
  /** PEM of the CA that signs kubelet serving certificates, for the API server's `--kubelet-certificate-authority`. Undefined when the cluster signs them. */
  readonly servingCa: pulumi.Output<string | undefined>;
  /** Receipts by node name. */
  readonly receipts: pulumi.Output<Record<string, JoinReceipt>>;

  constructor(name: string, args: TlsBootstrapArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:TlsBootstrap", name, {}, opts);
    const scope = scopeOf(name);
    const spec = resolveBootstrap(`TlsBootstrap '${name}'`, args, scope);
    refuseWithoutAgent(`TlsBootstrap '${name}'`, spec.pools);
    const context = { name, scope, spec, parent: this };
    const boundGroup = warnedGroup(context);
    const joinPolicy = declareJoinPolicy(context);
    const rbac = declareBindings(context, boundGroup);
    const info = declareClusterInfo(context);
    const serving = declareServing(context);
    const kubeProxy = declareKubeProxy(context);

    // Every bootstrap token is in the bare group already.
    const sharedGroups = boundGroup && boundGroup !== BOOTSTRAPPERS_GROUP ? [boundGroup] : [];
    const tokenUsages: TokenUsage[] = info ? ["authentication", "signing"] : ["authentication"];
    const token = (holder: string) => ({ tokenGroups: [tokenGroupOf(holder, scope), ...sharedGroups], tokenUsages });
    // A token that no policy restrains must not exist, not even for a moment.
    const guards = joinPolicy ? [joinPolicy] : [];
    const pools = spec.pools.map((pool) => {
      const shared = {
        servingCertificates: { mode: pool.servingCertificates.mode, ca: serving.ca },
        kubeProxyKubeconfig: kubeProxy?.kubeconfig,
        joinPolicy: joinPolicy?.policies[pool.name],
        workerPrefix: name,
      };
      const dependsOn = [...guards, ...rbac, serving.policy];
      return new WorkerPool(
        `${name}-${pool.name}`,
        { ...pool, ...token(pool.name), ...shared },
        { parent: this, dependsOn },
      );
    });
    const groups = spec.scaleGroups.map(
      (group) =>
        new ScaleGroup(
          `${name}-${group.name}`,
          {
            ...group,
            ...token(group.name),
            joinPolicyName: joinPolicy?.policies[group.name].names,
            kubeProxyKubeconfig: kubeProxy?.kubeconfig,
          },
          { parent: this, dependsOn: guards },
        ),
    );

    const names = [...spec.pools, ...spec.scaleGroups].map((holder) => holder.name);
    const byName = <T>(of: (holder: WorkerPool | ScaleGroup) => T) =>
      Object.fromEntries([...pools, ...groups].map((holder, i) => [names[i], of(holder)]));
    this.tokens = pulumi.output(
      byName((holder) => ({
        id: holder.tokenId,
        expires: holder.tokenExpires,
        scaleGroup: holder instanceof ScaleGroup,
      })),
    );
    this.bootstrapKubeconfigs = pulumi.secret(pulumi.output(byName((holder) => holder.bootstrapKubeconfig)));
    const withUserData = <T>(of: (group: ScaleGroup) => T | undefined) =>
      Object.fromEntries(
        groups.flatMap((group, i): [string, T][] => {
          const value = of(group);
          return value === undefined ? [] : [[spec.scaleGroups[i].name, value]];
        }),
      );
    this.userData = pulumi.secret(pulumi.output(withUserData((group) => group.userData)));
    this.scaleGroups = pulumi.output(
      withUserData(({ userDataBytes, configHash }) =>
        userDataBytes && configHash ? pulumi.output({ userDataBytes, configHash }) : undefined,
      ),
    );
    const downloads = spec.scaleGroups.some(({ machines }) => machines?.userData.bundleUrl !== undefined);
    this.scaleGroupBundle = pulumi.output(downloads ? groups[0].bundle : undefined);
    this.servingCa = pulumi.output(serving.ca?.certificate);
    this.clusterInfoKubeconfig = pulumi.output(info?.kubeconfig);
    this.receipts = pulumi
      .output(pools.map((pool) => pulumi.output(pool.receipts)))
      .apply((receipts) => Object.assign({}, ...receipts) as Record<string, JoinReceipt>);
    this.registerOutputs({
      tokens: this.tokens,
      bootstrapKubeconfigs: this.bootstrapKubeconfigs,
      userData: this.userData,
      scaleGroups: this.scaleGroups,
      scaleGroupBundle: this.scaleGroupBundle,
      clusterInfoKubeconfig: this.clusterInfoKubeconfig,
      servingCa: this.servingCa,
      receipts: this.receipts,
    });
  }
}

interface BootstrapContext {
  readonly name: string;
  /** Prefix of the names of objects in the cluster. */
  readonly scope: string;
  readonly spec: ResolvedBootstrap;
  readonly parent: TlsBootstrap;
}

/** The group of the bindings, with a warning for one that is too wide. */
function warnedGroup({ spec: { bindings }, parent }: BootstrapContext): string | undefined {
  if (bindings.group === BOOTSTRAPPERS_GROUP)
    void pulumi.log.warn(
      `bindings.group ${BOOTSTRAPPERS_GROUP} lets every bootstrap token of the cluster ask for node certificates, whoever made it. Remove it to bind the tokens of this stack only.`,
      parent,
    );
  return bindings.group;
}

function declareJoinPolicy({ scope, spec, parent }: BootstrapContext): JoinPolicy | undefined {
  if (spec.joinPolicy === "off") return undefined;
  const claims = [
    ...spec.pools.map((pool) => ({
      name: pool.name,
      group: tokenGroupOf(pool.name, scope),
      nodes: presentNodes(pool).map((worker) => worker.name),
    })),
    ...spec.scaleGroups.map(({ name: group, namePrefix }) => ({
      name: group,
      group: tokenGroupOf(group, scope),
      namePrefix,
    })),
  ];
  return new JoinPolicy(scope, { claims, bindReadyNodes: false }, { parent });
}

function declareBindings({ scope, spec, parent }: BootstrapContext, group: string | undefined): pulumi.Resource[] {
  if (spec.bindings.mode === "existing") return [];
  const own = [...spec.pools, ...spec.scaleGroups].map((holder) => tokenGroupOf(holder.name, scope));
  return [new NodeBootstrapRbac(scope, { groups: group ? [group] : own }, { parent })];
}

function declareClusterInfo({
  scope,
  spec: { cluster, clusterInfo },
  parent,
}: BootstrapContext): ClusterInfo | undefined {
  if (clusterInfo === "off") return undefined;
  return new ClusterInfo(`${scope}-cluster-info`, { cluster }, { parent });
}

function declareKubeProxy({ scope, spec, parent }: BootstrapContext): KubeProxy | undefined {
  const { cluster, kubeProxy, kubernetesVersion } = spec;
  if (kubeProxy.mode === "off") return undefined;
  const nodeLabels = { [WORKER_LABEL]: scope };
  const otherNodes = spec.scaleGroups.flatMap(({ name, machines }) =>
    machines ? [{ [SCALE_GROUP_LABEL]: name }] : [],
  );
  return new KubeProxy(
    `${scope}-kube-proxy`,
    { cluster, spec: kubeProxy, kubernetesVersion, nodeLabels, otherNodes },
    { parent },
  );
}

/** The policy for serving certificates, and who signs or approves them. */
function declareServing({ name, scope, spec, parent }: BootstrapContext): {
  readonly policy: ServingPolicy;
  readonly ca: CertificateAuthority | undefined;
} {
  const { mode, ca, image } = spec.servingCertificates;
  const pools = spec.pools.map((pool) => ({
    name: pool.name,
    nodes: presentNodes(pool).map((worker) => ({ name: worker.name, address: worker.nodeAddress })),
  }));
  const groups = spec.scaleGroups.filter(({ machines }) => machines !== undefined);
  const policy = new ServingPolicy(scope, { pools, mode, groups }, { parent });
  if (mode === "approver") {
    const nodes = pools.flatMap((pool) => pool.nodes);
    new CsrApprover(`${scope}-csr-approver`, { nodes, groups, image }, { parent, dependsOn: policy });
  }
  if (mode !== "issued") return { policy, ca: undefined };
  return { policy, ca: ca ?? new ServingCa(`${name}-serving-ca`, { commonName: `${scope}-serving-ca` }, { parent }) };
}
