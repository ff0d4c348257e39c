import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { KubeProxyIdentity } from "../../components";

const config = new pulumi.Config();
const server = config.require("server");
const ca = config.require("ca");
const provider = new Provider("cluster", { kubeconfig: config.requireSecret("kubeconfig"), clusterIdentifier: server });

const pods = new KubeProxyIdentity("kube-proxy", { mode: "daemonset" }, { providers: [provider] });
const units = new KubeProxyIdentity("kube-proxy-unit", { mode: "unit" }, { providers: [provider] });

/** The `serviceAccountName` for the pods of a DaemonSet in kube-system. */
export const serviceAccountName = pods.serviceAccountName;
/** Content of `/etc/kubernetes/kube-proxy.conf` on a worker. A secret. */
export const kubeconfig = units.kubeconfig({ server, ca });
