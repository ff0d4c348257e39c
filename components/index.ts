/** The public API of tls-bootstrap, for programs that import it. */
export { type ClaimPolicies, type ClaimSpec, JoinPolicy, type JoinPolicyArgs } from "./admission/joinPolicy";
export type { ReadyNodes } from "./admission/readyNodes";
export { caPins } from "./cluster/caPins";
export { ClusterInfo, type ClusterInfoArgs } from "./cluster/clusterInfo";
export type { ClusterEndpoint, EndpointWithCaFile } from "./cluster/kubeconfig";
export { NodeBootstrapRbac, type NodeBootstrapRbacArgs } from "./cluster/nodeBootstrapRbac";
export type { KubeletConfiguration } from "./kubelet/KubeletConfiguration";
export { KubeProxy, type KubeProxyArgs } from "./kubeProxy/kubeProxy";
export { KubeProxyIdentity, KubeProxyIdentityMode, type KubeProxyIdentityArgs } from "./kubeProxy/kubeProxyIdentity";
export { ScaleGroup, type ScaleGroupArgs } from "./pools/scaleGroup";
export { WorkerPool, type WorkerPoolArgs } from "./pools/workerPool";
export { CsrApprover, type CsrApproverArgs } from "./serving/csrApprover";
export { ServingCa, type ServingCaArgs } from "./serving/servingCa";
export {
  type ServingGroup,
  type ServingNode,
  ServingPolicy,
  type ServingPolicyArgs,
  type ServingPool,
} from "./serving/servingPolicy";
export * from "./spec/specs";
export { type ScaleGroupInfo, TlsBootstrap, type TlsBootstrapArgs, type TokenInfo } from "./tlsBootstrap";
export { BootstrapToken, type BootstrapTokenArgs, TokenRenewal } from "./tokens/bootstrapToken";
export { tokenGroupOf } from "./tokens/tokenGroup";
export { TokenUsage } from "./tokens/tokenUsage";
export { HostKey } from "./worker/hostKey";
export { discoverScript } from "./worker/hostScript";
export type { JoinReceipt, JoinTimes, NodeCertificate } from "./worker/receipt";
export { Worker, type WorkerArgs } from "./worker/worker";
