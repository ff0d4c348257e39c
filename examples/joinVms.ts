/** What the examples vm-aws, vm-hetzner and vm-libvirt have in common: user data for a VM, and the VMs as nodes. */
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { type HostKey, TlsBootstrap, type WorkerSpec } from "../components";

const config = new pulumi.Config();

/** Names of the VMs and of their Nodes. */
export const names = config.requireObject<string[]>("names");

/** User data for cloud-init: the VM's host key, and the key with which Pulumi logs in. A secret. */
export const userDataOf = (hostKey: HostKey): pulumi.Output<string> =>
  pulumi.interpolate`${hostKey.cloudInit}ssh_authorized_keys:\n  - ${config.require("sshPublicKey")}\n`;

/** Joins the VMs to the cluster of the config. */
export function joinVms(workers: WorkerSpec[], user: string): TlsBootstrap {
  const kubernetes = new Provider("cluster", {
    kubeconfig: config.requireSecret("kubeconfig"),
    clusterIdentifier: "cluster", // a renewed kubeconfig replaces nothing
    enableConfigMapMutable: true, // a replaced ConfigMap would be gone for a moment
  });
  return new TlsBootstrap(
    "vms",
    {
      cluster: { server: config.require("server"), ca: config.require("ca") },
      kubernetesVersion: config.require("kubernetesVersion"),
      ssh: { user, privateKey: config.requireSecret("sshPrivateKey") },
      runtime: { type: "package" },
      pools: [{ name: "worker", workers }],
    },
    { providers: { kubernetes } },
  );
}
