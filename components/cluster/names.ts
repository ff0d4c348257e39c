/** Names that Kubernetes and this module share: groups, roles, keys and paths, each with its rule. */

/** Namespace of bootstrap token Secrets. The API server reads them from this namespace only. */
export const TOKEN_NAMESPACE = "kube-system";

/** Name prefix of a bootstrap token Secret. The token id follows. */
export const TOKEN_SECRET_PREFIX = "bootstrap-token-";

/** Type of a bootstrap token Secret. The API server answers 401 to the token of a Secret of another type. */
export const TOKEN_SECRET_TYPE = "bootstrap.kubernetes.io/token";

/**
 * Group of every user of a bootstrap token. A token's own groups (`auth-extra-groups`) must begin with it and a colon
 * (k8s.io/cluster-bootstrap/token/api: BootstrapGroupPattern).
 */
export const BOOTSTRAPPERS_GROUP = "system:bootstrappers";

/** Prefix of the user of a bootstrap token. The token id follows. */
export const TOKEN_USER_PREFIX = "system:bootstrap:";

/** Group of every kubelet that has a certificate. */
export const NODES_GROUP = "system:nodes";

/** ClusterRoles that Kubernetes defines and the bindings of {@link NodeBootstrapRbac} grant. */
export const CLUSTER_ROLES = {
  /** Create and read certificate signing requests. */
  nodeBootstrapper: "system:node-bootstrapper",
  /** The approving controller approves the first client certificate that the holder requests. */
  approveNodeClient: "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
  /** The approving controller approves the renewal of the holder's own client certificate. */
  approveSelfNodeClient: "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
} as const;

/** ClusterRole that Kubernetes defines for kube-proxy: read Services, EndpointSlices and Nodes, write events. */
export const NODE_PROXIER_ROLE = "system:node-proxier";

/** The ConfigMap that tells a joiner that knows only a token where the cluster is (kubeadm's discovery). */
export const CLUSTER_INFO = {
  namespace: "kube-public",
  name: "cluster-info",
  /** The key of the document. The bootstrap signer writes its signatures into `jws-kubeconfig-<token id>`. */
  key: "kubeconfig",
} as const;

/** Signer of kubelet client certificates. */
export const KUBELET_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";

/** Signer of kubelet serving certificates. No controller of Kubernetes approves its requests. */
export const KUBELET_SERVING_SIGNER = "kubernetes.io/kubelet-serving";

/** Prefix of the user of a kubelet that has a certificate. The node's name follows. */
export const NODE_USER_PREFIX = "system:node:";

/** Group of kubeadm's tokens. kubeadm's bindings name it (kubeadm constants: NodeBootstrapTokenAuthGroup). */
export const KUBEADM_GROUP = "system:bootstrappers:kubeadm:default-node-token";

/** Label of each declared Node. Its value is the scope of the stack. Kubelets may not change labels of this prefix (NodeRestriction). */
export const WORKER_LABEL = "node-restriction.kubernetes.io/tls-bootstrap";

/** Tells the Pulumi Kubernetes provider to take over fields that a controller also writes. */
export const PATCH_FORCE = { "pulumi.com/patchForce": "true" } as const;

/** Paths on a worker, where CIS benchmarks (kube-bench) and administrators expect them. */
export const PATHS = {
  ca: "/etc/kubernetes/pki/ca.crt",
  /** The CA of the API server's client certificate, where it is not `ca`. */
  clientCa: "/etc/kubernetes/pki/kubelet-client-ca.crt",
  bootstrapKubeconfig: "/run/tls-bootstrap/bootstrap-kubelet.conf",
  kubeconfig: "/etc/kubernetes/kubelet.conf",
  kubeletConfig: "/var/lib/kubelet/config.yaml",
  kubeletCertificates: "/var/lib/kubelet/pki",
  /** With `issued` serving certificates. A node that joins again loses the kubelet's own folder, so the file is not in it. */
  servingCertificate: "/etc/kubernetes/pki/kubelet-serving.crt",
  servingKey: "/etc/kubernetes/pki/kubelet-serving.key",
  kubeletUnit: "/etc/systemd/system/kubelet.service",
  kubeProxyConfig: "/var/lib/kube-proxy/config.yaml",
  kubeProxyKubeconfig: "/etc/kubernetes/kube-proxy.conf",
  kubeProxyUnit: "/etc/systemd/system/kube-proxy.service",
  /** Link to the resolver file that pods can use. `host.sh` chooses the file. */
  resolvConf: "/etc/tls-bootstrap/resolv.conf",
  /** Folder of the steps' settings. */
  settings: "/etc/tls-bootstrap",
  hostConf: "/etc/tls-bootstrap/host.conf",
  nodeConf: "/etc/tls-bootstrap/node.conf",
  /** Files of the container runtime, as declared. `runtime.sh` installs them. */
  runtimeFiles: "/etc/tls-bootstrap/runtime",
  scripts: "/opt/tls-bootstrap/scripts",
  /** On a machine of a scale group: the inputs of its steps, until it has joined. */
  boot: "/etc/tls-bootstrap/boot",
  /** There: the scripts, until they are installed. */
  bundle: "/opt/tls-bootstrap/bundle",
  unpackScript: "/opt/tls-bootstrap/unpack.sh",
  bootUnit: "/etc/systemd/system/tls-bootstrap-boot.service",
  leaveUnit: "/etc/systemd/system/tls-bootstrap-leave.service",
} as const;

/** The CRI socket of containerd, where distribution packages put it. */
export const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** Folder of the Kubernetes binaries of one version. A version never changes in place. */
export const binariesOf = (kubernetesVersion: string): string => `/opt/kubernetes/v${kubernetesVersion}/bin`;
