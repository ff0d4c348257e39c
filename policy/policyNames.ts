/**
 * The names of Kubernetes that the policies know. They stand here a second time because a published policy pack is this folder
 * alone; a test compares them with the module's own.
 */

export const TOKEN_SECRET_TYPE = "bootstrap.kubernetes.io/token";

/** Group of every user of a bootstrap token, whoever made the token. */
export const BOOTSTRAPPERS_GROUP = "system:bootstrappers";

/** Group of every kubelet that has a certificate. */
export const NODES_GROUP = "system:nodes";

/** ClusterRoles by which a machine becomes, and stays, a node. */
export const BOOTSTRAPPING_ROLES: readonly string[] = [
  "system:node-bootstrapper",
  "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
  "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
];

/** The ConfigMap that anybody may read. */
export const CLUSTER_INFO = { namespace: "kube-public", name: "cluster-info" } as const;
