// First, so that it is there before any resource is declared.
import "./sdkOverhead";
import { Provider } from "@pulumi/kubernetes/provider";
import { TlsBootstrap } from "./components";
import { KUBELET_SERVING_SIGNER } from "./components/cluster/names";
import { clusterAccess } from "./settings/clusterAccess";
import { readSettings } from "./settings/settings";

/** Requests of declared workers for other names and addresses than theirs are refused when they are made, so these need no look. */
const APPROVE_SERVING = `kubectl get csr --field-selector spec.signerName=${KUBELET_SERVING_SIGNER}
# each that is Pending and whose requestor is the system:node of a worker of this stack:
kubectl certificate approve <name>
`;

export = async () => {
  const settings = readSettings();
  const { server, ca, kubeconfig } = await clusterAccess(settings);

  const cluster = new Provider("cluster", {
    kubeconfig,
    // The server URL identifies the cluster, so that a renewed kubeconfig replaces nothing.
    clusterIdentifier: server,
    // ConfigMaps change in place. If one were replaced, its readers would find none for a moment.
    enableConfigMapMutable: true,
  });

  const { bootstrap } = settings;
  const nodes = new TlsBootstrap(
    "tls-bootstrap",
    { ...bootstrap, cluster: { server, ca } },
    { providers: { kubernetes: cluster } },
  );

  // Pulumi warns about an output without a value, so an output that not every stack has is there only where it has one.
  return {
    /** URL of the API server that the nodes belong to. */
    apiServer: server,
    /** Bootstrap tokens by pool and scale group: the public id and the expiration. A pool's token is revoked when its workers have joined. */
    tokens: nodes.tokens,
    /** By node name: proof of the join. */
    receipts: nodes.receipts,
    /** CA of the kubelets' serving certificates, for the API server's `--kubelet-certificate-authority`, where this stack signs them. */
    ...(bootstrap.servingCertificates.mode === "issued" && { servingCa: nodes.servingCa }),
    /** What is left to do by hand for `kubectl logs` and `exec`, where certificates are approved by hand. */
    ...(bootstrap.servingCertificates.mode === "manual" && { approveServing: APPROVE_SERVING }),
    /** What kube-public/cluster-info publishes: server and CA. */
    ...(bootstrap.clusterInfo !== "off" && { clusterInfo: nodes.clusterInfoKubeconfig }),
    /** By pool and scale group, secret: the kubeconfig with the bootstrap token. Only that of a scale group is valid after the update. */
    bootstrapKubeconfigs: nodes.bootstrapKubeconfigs,
  };
};
