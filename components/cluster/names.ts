/**
 * The names that Kubernetes and this module share: groups, roles, keys and paths, each with its rule.
 */

/** Namespace of bootstrap token Secrets; the API server looks in no other. */
export const TOKEN_NAMESPACE = "kube-system";

/** Name prefix of a bootstrap token Secret; the token id follows. */
export const TOKEN_SECRET_PREFIX = "bootstrap-token-";

/** Type of a bootstrap token Secret; another type is a 401 for its token. */
export const TOKEN_SECRET_TYPE = "bootstrap.kubernetes.io/token";

/**
 * Group of every user of a bootstrap token. A token's own groups (`auth-extra-groups`) must begin with it and a colon
 * (k8s.io/cluster-bootstrap/token/api: BootstrapGroupPattern).
 */
export const BOOTSTRAPPERS_GROUP = "system:bootstrappers";

/** User of a bootstrap token; the token id follows. */
export const TOKEN_USER_PREFIX = "system:bootstrap:";

/** Group of every kubelet that has a certificate. */
export const NODES_GROUP = "system:nodes";

/** ClusterRoles that Kubernetes defines and the bindings of {@link NodeBootstrapRbac} grant. */
export const CLUSTER_ROLES = {
  /** Create, and read, certificate signing requests. */
  nodeBootstrapper: "system:node-bootstrapper",
  /** The approving controller approves a first client certificate asked for by the holder. */
  approveNodeClient: "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
  /** The approving controller approves a renewal of the holder's own client certificate. */
  approveSelfNodeClient: "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
} as const;

/** ClusterRole that Kubernetes defines for kube-proxy: read Services, EndpointSlices and Nodes, write events. */
export const NODE_PROXIER_ROLE = "system:node-proxier";

/** The ConfigMap by which a joiner that knows only a token finds the cluster (kubeadm's discovery). */
export const CLUSTER_INFO = {
  namespace: "kube-public",
  name: "cluster-info",
  /** The key that is ours, and that the bootstrap signer signs into `jws-kubeconfig-<token id>`. */
  key: "kubeconfig",
} as const;

/** Signer of the certificates by which kubelets are clients of the API server. */
export const KUBELET_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";

/** Signer of the certificates by which kubelets are servers, for logs, exec and metrics. Nothing in Kubernetes approves its requests. */
export const KUBELET_SERVING_SIGNER = "kubernetes.io/kubelet-serving";

/** User of a kubelet that has a certificate; the node's name follows. */
export const NODE_USER_PREFIX = "system:node:";

/** Group of kubeadm's own tokens, to which its bindings are made (kubeadm constants: NodeBootstrapTokenAuthGroup). */
export const KUBEADM_GROUP = "system:bootstrappers:kubeadm:default-node-token";

/** Label of each declared Node. Its value is the scope of the stack. Kubelets may not change labels of this prefix (NodeRestriction). */
export const WORKER_LABEL = "node-restriction.kubernetes.io/tls-bootstrap";

/** Annotation of a declared Node: what a certificate request for its name looks like; see csrPattern.ts. */
export const REQUEST_ANNOTATION = "tls-bootstrap/certificate-request";

/** Lets the Pulumi Kubernetes provider take over fields that a controller also writes. */
export const PATCH_FORCE = { "pulumi.com/patchForce": "true" } as const;

/** Paths on a worker, where CIS benchmarks (kube-bench) and administrators look for them. */
export const PATHS = {
  ca: "/etc/kubernetes/pki/ca.crt",
  bootstrapKubeconfig: "/etc/kubernetes/bootstrap-kubelet.conf",
  kubeconfig: "/etc/kubernetes/kubelet.conf",
  kubeletConfig: "/var/lib/kubelet/config.yaml",
  kubeletCertificates: "/var/lib/kubelet/pki",
  /** Of `issued` serving certificates; not below the kubelet's own folder, which a node that joins anew loses. */
  servingCertificate: "/etc/kubernetes/pki/kubelet-serving.crt",
  servingKey: "/etc/kubernetes/pki/kubelet-serving.key",
  kubeletUnit: "/etc/systemd/system/kubelet.service",
  kubeProxyConfig: "/var/lib/kube-proxy/config.yaml",
  kubeProxyKubeconfig: "/etc/kubernetes/kube-proxy.conf",
  kubeProxyUnit: "/etc/systemd/system/kube-proxy.service",
  /** A link to the resolver file that pods can use; `host.sh` decides which. */
  resolvConf: "/etc/tls-bootstrap/resolv.conf",
  hostConf: "/etc/tls-bootstrap/host.conf",
  nodeConf: "/etc/tls-bootstrap/node.conf",
  /** Files of the container runtime as they shall be; `runtime.sh` puts them into place. */
  runtimeFiles: "/etc/tls-bootstrap/runtime",
  scripts: "/opt/tls-bootstrap/scripts",
} as const;

/** The CRI socket of containerd, where distribution packages put it. */
export const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** Folder of the Kubernetes binaries of one version; a version never changes in place. */
export const binariesOf = (kubernetesVersion: string): string => `/opt/kubernetes/v${kubernetesVersion}/bin`;
