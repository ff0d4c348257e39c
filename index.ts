// First, so that it is there before any resource is declared.
import "./sdkOverhead";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { TlsBootstrap } from "./components";
import { KUBELET_SERVING_SIGNER } from "./components/cluster/names";
import { merge } from "./components/kubelet/kubeletConfig";
import { clusterAccess, readSettings } from "./settings/settings";

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
    // The cluster is who it is by its address: a renewed kubeconfig must not replace everything that was declared with the old one.
    clusterIdentifier: server,
    // ConfigMaps change in place: deleted and made anew, their readers would find none for a moment.
    enableConfigMapMutable: true,
  });

  const { ssh, pools, kubelet, servingCertificates } = settings;
  const nodes = new TlsBootstrap(
    "tls-bootstrap",
    {
      cluster: { server, ca },
      kubernetesVersion: settings.kubernetesVersion,
      clusterDomain: settings.clusterDomain,
      clusterDns: settings.clusterDns,
      clusterInfo: settings.clusterInfo,
      bindings: settings.bindings,
      joinPolicy: settings.joinPolicy,
      kubeProxy: settings.kubeProxy,
      servingCertificates: {
        ...servingCertificates,
        ca: servingCertificates.ca && { ...servingCertificates.ca, key: pulumi.secret(servingCertificates.ca.key) },
      },
      downloadUrl: settings.downloadUrl,
      airGap: settings.airGap,
      binDir: settings.binDir,
      proxy: settings.proxy,
      runtime: settings.runtime,
      tokenTtl: settings.tokenTtl,
      ssh: {
        ...ssh,
        privateKey: pulumi.secret(ssh.privateKey),
        bastion: ssh.bastion && {
          ...ssh.bastion,
          privateKey: pulumi.secret(ssh.bastion.privateKey ?? ssh.privateKey),
        },
      },
      pools: pools.map((pool) => ({ ...pool, kubelet: merge(kubelet, pool.kubelet ?? {}) })),
      scaleGroups: settings.scaleGroups,
    },
    { providers: { kubernetes: cluster } },
  );

  // Pulumi warns about an output without a value, so an output that not every stack has is there only where it has one.
  return {
    /** URL of the API server that the nodes belong to. */
    apiServer: server,
    /** Bootstrap tokens by pool and scale group: the public id, and when the API server stops accepting it. */
    tokens: nodes.tokens,
    /** By node name: proof of the join. */
    receipts: nodes.receipts,
    /** CA of the kubelets' serving certificates, for the API server's `--kubelet-certificate-authority`, where this stack signs them. */
    ...(servingCertificates.mode === "issued" && { servingCa: nodes.servingCa }),
    /** What is left to do by hand for `kubectl logs` and `exec`, where certificates are approved by hand. */
    ...(servingCertificates.mode === "manual" && { approveServing: APPROVE_SERVING }),
    /** What kube-public/cluster-info publishes: server and CA. */
    ...(settings.clusterInfo !== "off" && { clusterInfo: nodes.clusterInfoKubeconfig }),
    /** By pool and scale group, secret: the kubeconfig with the bootstrap token. */
    bootstrapKubeconfigs: nodes.bootstrapKubeconfigs,
  };
};
