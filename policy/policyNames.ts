/**
 * Kubernetes names that the policies check. They repeat names in `components/`, because a published policy pack contains only this folder. A unit
 * test compares both.
 */

export const TOKEN_SECRET_TYPE = "bootstrap.kubernetes.io/token";

/** Every bootstrap token authenticates as a member of this group. */
export const BOOTSTRAPPERS_GROUP = "system:bootstrappers";

/** Every kubelet with a client certificate is in this group. */
export const NODES_GROUP = "system:nodes";

/** ClusterRoles that let a machine become a node and stay one. */
export const BOOTSTRAPPING_ROLES: readonly string[] = [
  "system:node-bootstrapper",
  "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
  "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
];

/** The ConfigMap that anonymous users may read. */
export const CLUSTER_INFO = { namespace: "kube-public", name: "cluster-info" } as const;
