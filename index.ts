import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { TlsBootstrap } from "./components";
import { merge } from "./components/worker/files/kubeletConfig";
import { clusterAccess, readSettings } from "./settings";

export = async () => {
  const settings = readSettings();
  const { server, ca, kubeconfig } = await clusterAccess(settings);

  const cluster = new Provider("cluster", {
    kubeconfig,
    // The cluster is who it is by its address: a renewed kubeconfig must not replace everything that was declared with the old one.
    clusterIdentifier: server,
    // cluster-info changes in place: deleted and made anew, joiners would find none for a moment.
    enableConfigMapMutable: true,
  });

  const { ssh, pools, kubelet } = settings;
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
      downloadUrl: settings.downloadUrl,
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

  return {
    /** URL of the API server that the nodes belong to. */
    apiServer: server,
    /** Bootstrap tokens by pool and scale group: the public id, and when the API server stops accepting it. */
    tokens: nodes.tokens,
    /** By node name: proof of the join. */
    receipts: nodes.receipts,
    /** What kube-public/cluster-info publishes: server and CA. */
    clusterInfo: nodes.clusterInfoKubeconfig,
    /** By pool and scale group, secret: the kubeconfig with the bootstrap token. */
    bootstrapKubeconfigs: nodes.bootstrapKubeconfigs,
  };
};
