import * as pulumi from "@pulumi/pulumi";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1";
import { CLUSTER_ROLES, NODES_GROUP } from "./names";

export interface NodeBootstrapRbacArgs {
  /**
   * Groups whose members may bootstrap: the groups that the bootstrap tokens carry, for example `system:bootstrappers:worker`. Bare `system:bootstrappers`
   * admits the holder of any bootstrap token of the cluster.
   */
  readonly groups: pulumi.Input<string>[];
}

/**
 * The three ClusterRoleBindings of TLS bootstrapping. Bootstrappers may create certificate signing requests, their first client certificate is approved, and each node's
 * renewal of its own certificate is approved. Without the third binding, nodes join, and drop out when their first certificate expires.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/
 */
export class NodeBootstrapRbac extends pulumi.ComponentResource {
  constructor(name: string, args: NodeBootstrapRbacArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:NodeBootstrapRbac", name, {}, opts);
    const bind = (what: string, role: string, groups: pulumi.Input<string>[]) =>
      new ClusterRoleBinding(
        `${name}-${what}`,
        {
          metadata: { name: `${name}:${what}` },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
          subjects: groups.map((group) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group })),
        },
        { parent: this },
      );
    bind("create-csrs", CLUSTER_ROLES.nodeBootstrapper, args.groups);
    bind("approve-first-certificates", CLUSTER_ROLES.approveNodeClient, args.groups);
    bind("approve-renewals", CLUSTER_ROLES.approveSelfNodeClient, [NODES_GROUP]);
    this.registerOutputs({});
  }
}
