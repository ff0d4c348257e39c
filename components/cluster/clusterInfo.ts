import * as pulumi from "@pulumi/pulumi";
import { ConfigMap, ConfigMapPatch } from "@pulumi/kubernetes/core/v1";
import { Role, RoleBinding } from "@pulumi/kubernetes/rbac/v1";
import type { BootstrapClusterInfo, ClusterSpec } from "../spec/specs";
import { renderKubeconfig } from "./kubeconfig";
import { CLUSTER_INFO, PATCH_FORCE } from "./names";

export interface ClusterInfoArgs {
  /** The API server as joiners reach it. */
  readonly cluster: ClusterSpec;
  /**
   * `create`: the ConfigMap is this module's. `adopt`: kubeadm or another installer made it; its kubeconfig is written anew, and everything
   * else about it, its Role and what a removal leaves, stays theirs.
   * @default "create"
   */
  readonly mode?: Exclude<BootstrapClusterInfo, "off">;
}

/**
 * The ConfigMap kube-public/cluster-info, which anybody may read, and nothing else: server and CA, public both. The
 * controller manager's bootstrap signer adds a signature for each live token (`jws-kubeconfig-<id>`), by which a joiner that
 * knows only a token tells the true document from a forged one. Workers of this module do not need it: they get the CA over
 * SSH, from a host whose key is pinned.
 */
export class ClusterInfo extends pulumi.ComponentResource {
  /** The published kubeconfig: one cluster, no credentials. */
  readonly kubeconfig: pulumi.Output<string>;

  constructor(name: string, args: ClusterInfoArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ClusterInfo", name, {}, opts);
    const { namespace, name: configMap, key } = CLUSTER_INFO;
    this.kubeconfig = pulumi.output(args.cluster).apply(({ server, ca }) => renderKubeconfig({ server, ca }));

    if (args.mode === "adopt") {
      new ConfigMapPatch(
        name,
        { metadata: { namespace, name: configMap, annotations: PATCH_FORCE }, data: { [key]: this.kubeconfig } },
        // Removed, the patch would take the kubeconfig with it, and the installer's joiners would find none.
        { parent: this, retainOnDelete: true },
      );
      this.registerOutputs({ kubeconfig: this.kubeconfig });
      return;
    }
    const document = new ConfigMap(
      name,
      { metadata: { namespace, name: configMap }, data: { [key]: this.kubeconfig } },
      { parent: this },
    );
    const role = new Role(
      `${name}-read`,
      {
        metadata: { namespace, name: `${name}:read` },
        rules: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: [configMap], verbs: ["get"] }],
      },
      { parent: this },
    );
    new RoleBinding(
      `${name}-read-anonymously`,
      {
        metadata: { namespace, name: `${name}:read-anonymously` },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "system:anonymous" }],
      },
      { parent: this, dependsOn: [document] },
    );
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }
}
