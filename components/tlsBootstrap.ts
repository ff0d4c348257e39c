import * as pulumi from "@pulumi/pulumi";
import { airGapChecks } from "./downloads/airGap";
import type { TokenUsage } from "./tokens/bootstrapToken";
import { ClusterInfo } from "./cluster/clusterInfo";
import { JoinPolicy, sizeProblem } from "./admission/joinPolicy";
import { KubeProxy } from "./kubeProxy/kubeProxy";
import { NodeBootstrapRbac } from "./cluster/nodeBootstrapRbac";
import { CsrApprover } from "./serving/csrApprover";
import { ServingCa } from "./serving/servingCa";
import { ServingPolicy, servingSizeProblem } from "./serving/servingPolicy";
import { kubeletChecks } from "./kubelet/levels";
import { kubeProxy } from "./kubeProxy/kubeProxySpec";
import { BOOTSTRAPPERS_GROUP, KUBEADM_GROUP } from "./cluster/names";
import { type Check, refuse } from "./validation/refuse";
import * as rules from "./validation/rules";
import * as runtimeSpec from "./runtime/runtimeSpec";
import { claimChecks, type PoolSpec, pools, problemsOf, scaleGroups, type ScaleGroupSpec } from "./spec/schema";
import { Machines } from "./worker/machines";
import { servingChecks, type ServingCertificatesArgs, servingKubeletChecks } from "./serving/servingCertificates";
import { ScaleGroup } from "./pools/scaleGroup";
import type { JoinReceipt } from "./worker/receipt";
import type { WorkerEnvironment } from "./worker/worker";
import { tokenGroupOf, WorkerPool } from "./pools/workerPool";

export interface TlsBootstrapArgs extends Omit<WorkerEnvironment, "cluster" | "servingCa" | "kubeProxyKubeconfig"> {
  /** The API server as workers reach it, and the CA it proves itself with. */
  readonly cluster: { readonly server: pulumi.Input<string>; readonly ca: pulumi.Input<string> };
  readonly pools: readonly PoolSpec[];
  /** @default [] */
  readonly scaleGroups?: readonly ScaleGroupSpec[];
  /**
   * `publish`: kube-public/cluster-info is there for joiners that know only a token. One that kubeadm or another installer has published
   * stays as it is, see {@link ClusterInfo}. `off`: it is left alone. The workers of this module do not need it.
   * @default "publish"
   */
  readonly clusterInfo?: "publish" | "off";
  /** What lets bootstrap tokens ask for certificates and get them. */
  readonly bindings?: BindingsArgs;
  /**
   * `enforce`: a token may claim the names of its own pool only, and never that of a node that is Ready; see {@link JoinPolicy}. `off`: any token may
   * claim any name, as Kubernetes has it.
   * @default "enforce"
   */
  readonly joinPolicy?: "enforce" | "off";
  /** How kubelets get the certificates by which they are servers, for logs, exec and metrics. */
  readonly servingCertificates?: ServingCertificatesArgs;
  /**
   * Life of the pools' bootstrap tokens, counted from their minting; 5m to 30d.
   * @default "1h"
   */
  readonly tokenTtl?: string;
}

/** The bindings of {@link NodeBootstrapRbac}: this module's, or such as there are already. */
export interface BindingsArgs {
  /**
   * `create`: they are declared here. `existing`: the cluster has bindings with that meaning, kubeadm's for example.
   * @default "create"
   */
  readonly mode?: "create" | "existing";
  /**
   * The group that they are made to; all tokens carry it besides their own.
   * @default with `create`, the tokens' own groups; with `existing`, that of kubeadm, `system:bootstrappers:kubeadm:default-node-token`
   */
  readonly group?: string;
}

/**
 * Everything that turns bare VMs into nodes of one cluster. It declares the cluster's side through the Kubernetes provider that
 * it is given (`{ providers: { kubernetes } }`), and the VMs' side over SSH.
 *
 * @throws pulumi.RunError with every problem of the arguments, before anything is declared.
 */
export class TlsBootstrap extends pulumi.ComponentResource {
  /** Bootstrap tokens by pool and scale group: the public id and the expiry (RFC 3339). */
  readonly tokens: pulumi.Output<Record<string, { id: string; expires: string }>>;
  /** Bootstrap kubeconfigs by pool and scale group; secret. */
  readonly bootstrapKubeconfigs: pulumi.Output<Record<string, string>>;
  /** What cluster-info publishes; undefined when that is off. */
  readonly clusterInfoKubeconfig: pulumi.Output<string | undefined>;
  /** PEM of the CA that signs kubelets' serving certificates, for the API server's `--kubelet-certificate-authority`; undefined when the cluster signs them. */
  readonly servingCa: pulumi.Output<string | undefined>;
  /** Receipts by node name. */
  readonly receipts: pulumi.Output<Record<string, JoinReceipt>>;

  constructor(name: string, args: TlsBootstrapArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:TlsBootstrap", name, {}, opts);
    const { cluster, clusterInfo = "publish", bindings = {}, joinPolicy = "enforce", tokenTtl, ...rest } = args;
    const {
      pools: specs,
      scaleGroups: groups = [],
      machines = new Machines(),
      servingCertificates = {},
      ...environment
    } = rest;
    const { mode: servingMode = "issued" } = servingCertificates;
    const poolClaims = specs.map(({ name, workers }) => ({
      name,
      group: tokenGroupOf(name),
      nodes: workers.map((worker) => worker.name),
    }));
    const servingNodes = specs.map(({ name, workers }) => ({
      name,
      nodes: workers.map(({ name, address, nodeAddress = address }) => ({ name, address: nodeAddress })),
    }));
    refuse(`TlsBootstrap '${name}'`, [
      ...problemsOf(pools, specs, "pools"),
      ...problemsOf(scaleGroups, groups, "scaleGroups"),
      ...kubeletChecks(environment.kubernetesVersion, { pools: specs }),
      ...airGapChecks(environment, specs),
      ...claimChecks(specs, groups),
      ...problemsOf(kubeProxy, environment.kubeProxy ?? {}, "kubeProxy"),
      ...servingChecks("servingCertificates", servingCertificates),
      ...servingKubeletChecks(servingMode, specs),
      ["bindings.group", bindings.group && rules.bindingGroup(bindings.group), bindings.group],
      ["kubernetesVersion", rules.kubernetesVersion(environment.kubernetesVersion), environment.kubernetesVersion],
      ...problemsOf(runtimeSpec.runtime.optional(), environment.runtime, "runtime"),
      ...problemsOf(runtimeSpec.proxy.optional(), environment.proxy, "proxy"),
      ["binDir", environment.binDir && rules.hostFolder(environment.binDir), environment.binDir],
      ...endpointChecks(cluster),
      ...(joinPolicy === "enforce" ? poolClaims : []).map((claim, i): Check => [
        `pools[${i}].workers`,
        sizeProblem(claim),
      ]),
      ...(servingMode === "issued" ? [] : servingNodes).map(({ nodes }, i): Check => [
        `pools[${i}].workers`,
        servingSizeProblem(nodes),
      ]),
    ]);
    // These two only: whatever else the caller's object holds may be secret, and would make the files on the workers secret too.
    const endpoint = pulumi.output({ server: cluster.server, ca: cluster.ca }).apply((known) => {
      refuse(`TlsBootstrap '${name}'`, endpointChecks(known));
      return known;
    });
    const inside = { parent: this };

    const bound = bindings.group ?? (bindings.mode === "existing" ? KUBEADM_GROUP : undefined);
    if (bound === BOOTSTRAPPERS_GROUP)
      void pulumi.log.warn(
        `bindings.group ${BOOTSTRAPPERS_GROUP} lets every bootstrap token of the cluster ask for node certificates, whoever made it; leave it out to bind the tokens of this stack only`,
        this,
      );
    const ownGroups = [...specs, ...groups].map((spec) => tokenGroupOf(spec.name));
    const rbac =
      bindings.mode === "existing"
        ? []
        : [new NodeBootstrapRbac(name, { groups: bound ? [bound] : ownGroups }, inside)];
    const policy =
      joinPolicy === "enforce"
        ? new JoinPolicy(
            name,
            {
              claims: [
                ...poolClaims,
                ...groups.map(({ name, namePrefix }) => ({ name, group: tokenGroupOf(name), namePrefix })),
              ],
            },
            inside,
          )
        : undefined;
    const info =
      clusterInfo === "off"
        ? undefined
        : new ClusterInfo(`${name}-cluster-info`, { server: endpoint.server, ca: endpoint.ca }, inside);

    const servingPolicy = new ServingPolicy(
      name,
      { pools: servingNodes, allow: servingMode === "issued" ? "none" : "declared" },
      inside,
    );
    if (servingMode === "approver")
      new CsrApprover(
        `${name}-csr-approver`,
        { nodes: servingNodes.flatMap(({ nodes }) => nodes), image: servingCertificates.image },
        { ...inside, dependsOn: servingPolicy.parts },
      );
    const servingCa =
      servingMode === "issued"
        ? (servingCertificates.ca ?? new ServingCa(`${name}-serving-ca`, {}, inside))
        : undefined;

    const { kubeProxy: spec, kubernetesVersion } = environment;
    const proxy =
      spec && spec.mode !== "off"
        ? new KubeProxy(`${name}-kube-proxy`, { cluster: endpoint, spec, kubernetesVersion }, inside)
        : undefined;

    const token = {
      // Every token of this kind has the bare group already.
      tokenGroups: bound && bound !== BOOTSTRAPPERS_GROUP ? [bound] : [],
      tokenUsages: (info ? ["authentication", "signing"] : ["authentication"]) satisfies TokenUsage[],
    };
    // A token that nothing restrains must not exist, not even for a moment.
    const guarded = { ...inside, dependsOn: policy?.parts };
    const members = Object.fromEntries(
      specs.map((pool) => [
        pool.name,
        new WorkerPool(
          `${name}-${pool.name}`,
          {
            ...environment,
            ...token,
            cluster: endpoint,
            pool,
            tokenTtl,
            machines,
            servingCa,
            prerequisites: [...rbac, ...servingPolicy.parts],
            kubeProxyKubeconfig: proxy?.kubeconfig,
          },
          guarded,
        ),
      ]),
    );
    const scaling = Object.fromEntries(
      groups.map((group) => [
        group.name,
        new ScaleGroup(`${name}-${group.name}`, { ...token, cluster: endpoint, group }, guarded),
      ]),
    );

    const each = <T>(of: (holder: WorkerPool | ScaleGroup) => T) =>
      Object.fromEntries(Object.entries({ ...members, ...scaling }).map(([name, holder]) => [name, of(holder)]));
    this.tokens = pulumi.output(each(({ token }) => ({ id: token.id, expires: token.expires })));
    this.bootstrapKubeconfigs = pulumi.secret(pulumi.output(each((holder) => holder.bootstrapKubeconfig)));
    this.servingCa = pulumi.output(servingCa?.certificate);
    this.clusterInfoKubeconfig = pulumi.output(info?.kubeconfig);
    this.receipts = pulumi
      .output(Object.values(members).map((pool) => pulumi.output(pool.receipts)))
      .apply((receipts) => Object.assign({}, ...receipts) as Record<string, JoinReceipt>);
    this.registerOutputs({
      tokens: this.tokens,
      bootstrapKubeconfigs: this.bootstrapKubeconfigs,
      clusterInfoKubeconfig: this.clusterInfoKubeconfig,
      servingCa: this.servingCa,
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
