/** The public API of tls-bootstrap, for programs that import it. */
export { BootstrapToken, type BootstrapTokenArgs, type TokenUsage } from "./cluster/bootstrapToken";
export { ClusterInfo, type ClusterInfoArgs } from "./cluster/clusterInfo";
export { type Claim, JoinPolicy, type JoinPolicyArgs } from "./cluster/joinPolicy";
export { KubeProxyIdentity, type KubeProxyIdentityArgs } from "./cluster/kubeProxyIdentity";
export { NodeBootstrapRbac, type NodeBootstrapRbacArgs } from "./cluster/nodeBootstrapRbac";
export { caPins } from "./caPins";
export type { KubeletFlags } from "./kubelet/flags";
export type { KubeletConfiguration } from "./kubelet/KubeletConfiguration";
export type { ClusterEndpoint } from "./kubeconfig";
export type { NodeSettings, PoolSpec, ScaleGroupSpec, Taint, WorkerSpec } from "./schema";
export { type BindingsArgs, TlsBootstrap, type TlsBootstrapArgs } from "./tlsBootstrap";
export type { Bastion, SshArgs, SshLogin } from "./worker/connection";
export { discoverScript } from "./worker/files/bundle";
export type { KubeletSettings } from "./worker/files/kubeletConfig";
export type { JoinReceipt } from "./worker/receipt";
export { ScaleGroup, type ScaleGroupArgs } from "./worker/scaleGroup";
export { Worker, type WorkerArgs, type WorkerEnvironment } from "./worker/worker";
export { tokenGroupOf, WorkerPool, type WorkerPoolArgs } from "./worker/workerPool";
