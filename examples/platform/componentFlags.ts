/** The flags of the components. The README explains each one, and a test compares the two. */
import type { ControllerSettings, PlatformSettings } from "./platformSettings";

/** The components, in the order in which they start. */
export const COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
export type Component = (typeof COMPONENTS)[number];

export type Flags = Readonly<Record<string, string>>;

export const PORTS = { etcdClient: 2379, etcdPeer: 2380, etcdHealth: 2381, apiServer: 6443 } as const;

export const httpsUrl = (address: string, port: number): string => `https://${address}:${port}`;

/** A file that the component's unit loads with `LoadCredential=`. systemd shows it to that unit only, below this folder. */
const loaded = (component: Component, file: string): string => `/run/credentials/${component}.service/${file}`;

/** The flags of a component on a controller. The settings' own flags win. */
export function flagsOf(component: Component, settings: PlatformSettings, controller: ControllerSettings): Flags {
  const own: Readonly<Record<Component, () => Flags>> = {
    etcd: () => etcdFlags(settings, controller),
    "kube-apiserver": () => apiServerFlags(settings, controller),
    "kube-controller-manager": () => controllerManagerFlags(settings),
    "kube-scheduler": () => clientFlags("kube-scheduler"),
  };
  return { ...own[component](), ...settings.flags[component] };
}

function etcdFlags({ controllers }: PlatformSettings, { name, address }: ControllerSettings): Flags {
  const file = (of: string) => loaded("etcd", of);
  const peer = httpsUrl(address, PORTS.etcdPeer);
  const client = httpsUrl(address, PORTS.etcdClient);
  return {
    name,
    "data-dir": "/var/lib/etcd",
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "client-cert-auth": "true",
    "trusted-ca-file": file("ca.crt"),
    "cert-file": file("server.crt"),
    "key-file": file("server.key"),
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": controllers.map((one) => `${one.name}=${httpsUrl(one.address, PORTS.etcdPeer)}`).join(","),
    "initial-cluster-state": "new",
    "peer-client-cert-auth": "true",
    "peer-trusted-ca-file": file("ca.crt"),
    "peer-cert-file": file("peer.crt"),
    "peer-key-file": file("peer.key"),
    "listen-metrics-urls": `http://127.0.0.1:${PORTS.etcdHealth}`,
  };
}

function apiServerFlags({ controllers, serviceNetwork }: PlatformSettings, { address }: ControllerSettings): Flags {
  const file = (of: string) => loaded("kube-apiserver", of);
  return {
    "advertise-address": address,
    "secure-port": String(PORTS.apiServer),
    "tls-cert-file": file("apiserver.crt"),
    "tls-private-key-file": file("apiserver.key"),
    "client-ca-file": file("ca.crt"),
    "enable-bootstrap-token-auth": "true",
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "etcd-servers": controllers.map((one) => httpsUrl(one.address, PORTS.etcdClient)).join(","),
    "etcd-cafile": file("etcd-ca.crt"),
    "etcd-certfile": file("etcd-client.crt"),
    "etcd-keyfile": file("etcd-client.key"),
    "encryption-provider-config": file("encryption.yaml"),
    "kubelet-certificate-authority": file("kubelet-serving-ca.crt"),
    "kubelet-client-certificate": file("kubelet-client.crt"),
    "kubelet-client-key": file("kubelet-client.key"),
    "kubelet-preferred-address-types": "InternalIP,Hostname",
    "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
    "service-account-key-file": file("service-account.pub"),
    "service-account-signing-key-file": file("service-account.key"),
    "service-cluster-ip-range": serviceNetwork,
    "requestheader-client-ca-file": file("front-proxy-ca.crt"),
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "proxy-client-cert-file": file("front-proxy-client.crt"),
    "proxy-client-key-file": file("front-proxy-client.key"),
    "enable-aggregator-routing": "true",
    "allow-privileged": "true",
    profiling: "false",
  };
}

function controllerManagerFlags({ podNetwork }: PlatformSettings): Flags {
  const file = (of: string) => loaded("kube-controller-manager", of);
  return {
    ...clientFlags("kube-controller-manager"),
    controllers: "*,bootstrapsigner,tokencleaner",
    "cluster-signing-cert-file": file("ca.crt"),
    "cluster-signing-key-file": file("ca.key"),
    "cluster-signing-duration": "2160h",
    "root-ca-file": file("ca.crt"),
    "service-account-private-key-file": file("service-account.key"),
    "use-service-account-credentials": "true",
    "kube-api-qps": "100",
    "kube-api-burst": "200",
    ...(podNetwork !== undefined && { "allocate-node-cidrs": "true", "cluster-cidr": podNetwork }),
  };
}

/** Flags of a component that is a client of the API server. */
function clientFlags(component: Component): Flags {
  const kubeconfig = loaded(component, "kubeconfig");
  return {
    kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "bind-address": "127.0.0.1",
    "leader-elect": "true",
    profiling: "false",
  };
}
