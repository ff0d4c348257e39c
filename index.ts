// This import must be first: it changes the SDK before anything declares a resource.
import "./sdkOverhead";
import { Provider } from "@pulumi/kubernetes/provider";
import { TlsBootstrap } from "./components";
import { KUBELET_SERVING_SIGNER } from "./components/cluster/names";
import { readClusterAccess } from "./settings/readClusterAccess";
import { readSettings } from "./settings/settings";

/**
 * How to approve serving certificates by hand. An administrator need not check the names in a request: an admission policy has already
 * denied a worker's request for names or addresses of another.
 */
const APPROVE_SERVING = `kubectl get csr --field-selector spec.signerName=${KUBELET_SERVING_SIGNER}
# each that is Pending and whose requestor is the system:node of a worker of this stack:
kubectl certificate approve <name>
`;

export = async () => {
  const settings = await readSettings();
  const { server, ca, clientCa, kubeconfig, servingCa, kubernetesVersion } = await readClusterAccess(settings);

  const cluster = new Provider("cluster", {
    kubeconfig,
    // A stack belongs to one cluster, whatever its URL: another URL or a renewed kubeconfig replaces nothing.
    clusterIdentifier: "cluster",
    // ConfigMaps change in place. Readers of a replaced ConfigMap would find none for a moment.
    enableConfigMapMutable: true,
  });

  const { bootstrap } = settings;
  const { mode, ca: ownCa } = bootstrap.servingCertificates;
  const servingCertificates = {
    ...bootstrap.servingCertificates,
    ...(mode === "issued" && { ca: ownCa ?? servingCa }),
  };
  const nodes = new TlsBootstrap(
    "tls-bootstrap",
    { ...bootstrap, servingCertificates, cluster: { server, ca, clientCa, kubernetesVersion } },
    { providers: { kubernetes: cluster } },
  );

  const userDataOf = bootstrap.scaleGroups.flatMap(({ userData }) => userData ?? []);

  // Pulumi warns about an output without a value. So an output that some stacks lack is left out there.
  return {
    /** URL of the nodes' API server. */
    apiServer: server,
    /** Bootstrap tokens by pool and scale group: public id and expiry. A pool's token is revoked when its workers have joined. */
    tokens: nodes.tokens,
    /** Receipts by node name: the proof that each node joined. */
    receipts: nodes.receipts,
    /** With `issued`: PEM of the CA that signs kubelet serving certificates, for the API server's `--kubelet-certificate-authority`. */
    ...(mode === "issued" && { servingCa: nodes.servingCa }),
    /** With `manual`: the commands that approve serving certificates. `kubectl logs` and `exec` need them. */
    ...(mode === "manual" && { approveServing: APPROVE_SERVING }),
    /** The kubeconfig that kube-public/cluster-info publishes: server and CA. */
    ...(bootstrap.clusterInfo !== "off" && { clusterInfo: nodes.clusterInfoKubeconfig }),
    /** Secret: kubeconfigs with the bootstrap tokens, by pool and scale group. After the update only those of scale groups are valid. */
    bootstrapKubeconfigs: nodes.bootstrapKubeconfigs,
    /** Secret: user data with which the machines of scale groups join, by group. And its size, and the config hash of new nodes. */
    ...(userDataOf.length > 0 && { userData: nodes.userData, scaleGroups: nodes.scaleGroups }),
    /** With `userData.bundleUrl`: what that URL must serve. */
    ...(userDataOf.some(({ bundleUrl }) => bundleUrl !== undefined) && { scaleGroupBundle: nodes.scaleGroupBundle }),
  };
};
