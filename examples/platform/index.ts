import * as pulumi from "@pulumi/pulumi";
import { type Component, httpsUrl, PORTS } from "./componentFlags";
import { Controller, type Credentials } from "./controller";
import { Pki } from "./pki";
import { type ControllerSettings, readPlatformSettings } from "./platformSettings";

const settings = readPlatformSettings();
const pki = new Pki("pki", {
  controllers: settings.controllers,
  endpointHost: new URL(settings.endpoint).hostname,
  serviceAddress: settings.serviceNetwork.replace(/0\/\d+$/, "1"),
});
const controllers = settings.controllers.map((one) => ({ ...one, machine: new Controller(one.name, one, settings) }));

/** Brings a component to one controller after the other: a change that breaks it stops at the first one. */
const install = (
  component: Component,
  credentialsOf: (controller: ControllerSettings) => Credentials,
  after: readonly pulumi.Resource[] = [],
): pulumi.Resource[] =>
  controllers.reduce<pulumi.Resource[]>((done, controller, i) => {
    const waits = component !== "etcd" || i === controllers.length - 1;
    const dependsOn = [...after, ...done.slice(-1)];
    return [...done, controller.machine.install(component, credentialsOf(controller), { waits, dependsOn })];
  }, []);

const etcd = install("etcd", ({ name }) => ({
  "ca.crt": pki.etcdCa.certificate,
  "server.crt": pki.etcdServers[name].server.certificate,
  "server.key": pki.etcdServers[name].server.key,
  "peer.crt": pki.etcdServers[name].peer.certificate,
  "peer.key": pki.etcdServers[name].peer.key,
}));
const apiServers = install(
  "kube-apiserver",
  () => ({
    "ca.crt": pki.ca.certificate,
    "apiserver.crt": pki.apiServer.certificate,
    "apiserver.key": pki.apiServer.key,
    "etcd-ca.crt": pki.etcdCa.certificate,
    "etcd-client.crt": pki.etcdClient.certificate,
    "etcd-client.key": pki.etcdClient.key,
    "kubelet-serving-ca.crt": pki.kubeletServingCa.certificate,
    "kubelet-client.crt": pki.kubeletClient.certificate,
    "kubelet-client.key": pki.kubeletClient.key,
    "front-proxy-ca.crt": pki.frontProxyCa.certificate,
    "front-proxy-client.crt": pki.frontProxyClient.certificate,
    "front-proxy-client.key": pki.frontProxyClient.key,
    "service-account.pub": pki.serviceAccounts.publicKey,
    "service-account.key": pki.serviceAccounts.key,
    "encryption.yaml": pki.encryption,
  }),
  etcd,
);
// Both use the API server beside them, which is never older than they are.
const local = ({ address }: ControllerSettings) => httpsUrl(address, PORTS.apiServer);
install(
  "kube-controller-manager",
  (controller) => ({
    "ca.crt": pki.ca.certificate,
    "ca.key": pki.ca.key,
    "service-account.key": pki.serviceAccounts.key,
    kubeconfig: pki.kubeconfig(local(controller), "system:kube-controller-manager", pki.controllerManager),
  }),
  apiServers,
);
install(
  "kube-scheduler",
  (controller) => ({ kubeconfig: pki.kubeconfig(local(controller), "system:kube-scheduler", pki.scheduler) }),
  apiServers,
);

/** The form of these outputs. A change that readers must know raises it. */
export const formatVersion = 1;
/** URL of the API server. */
export const server = settings.endpoint;
/** PEM certificate of the CA that signed the API server's certificate. */
export const ca = pki.ca.certificate;
/** Kubeconfig of the administrator. A secret. */
export const kubeconfig = pki.kubeconfig(settings.endpoint, "platform-admin", pki.admin);
/** Version of the API servers. */
export const kubernetesVersion = settings.kubernetesVersion;
/** The CA that signs kubelet serving certificates, and that the API servers verify kubelets with. Its key is a secret. */
export const kubeletServingCa = { certificate: pki.kubeletServingCa.certificate, key: pki.kubeletServingCa.key };
