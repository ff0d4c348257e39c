import {
  commandLine,
  COMPONENTS,
  defaultFlags,
  mergeOverrides,
  parseFlag,
  parseOverride,
  readinessUrl,
} from "../../../lab/control-plane/componentFlags";
import { networkOf } from "../../../lab/network/addresses";
import { labPaths } from "../../../lab/labPaths";

const network = networkOf(3);
const paths = labPaths("/l");

test("the API server's flags", () => {
  expect(commandLine(defaultFlags("kube-apiserver", network, paths))).toEqual([
    "--advertise-address=10.89.3.1",
    "--bind-address=10.89.3.1",
    "--secure-port=6443",
    "--tls-cert-file=/l/pki/apiserver.crt",
    "--tls-private-key-file=/l/pki/apiserver.key",
    "--cert-dir=/l/pki",
    "--client-ca-file=/l/pki/ca.crt",
    "--etcd-servers=https://127.89.3.1:2379",
    "--etcd-cafile=/l/pki/etcd-ca.crt",
    "--etcd-certfile=/l/pki/apiserver-etcd-client.crt",
    "--etcd-keyfile=/l/pki/apiserver-etcd-client.key",
    "--kubelet-client-certificate=/l/pki/apiserver-kubelet-client.crt",
    "--kubelet-client-key=/l/pki/apiserver-kubelet-client.key",
    "--kubelet-preferred-address-types=InternalIP,Hostname",
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-account-key-file=/l/pki/service-account.pub",
    "--service-account-signing-key-file=/l/pki/service-account.key",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--allow-privileged=true",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--enable-bootstrap-token-auth=true",
    "--proxy-client-cert-file=/l/pki/front-proxy-client.crt",
    "--proxy-client-key-file=/l/pki/front-proxy-client.key",
    "--requestheader-client-ca-file=/l/pki/front-proxy-ca.crt",
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--enable-aggregator-routing=true",
    "--profiling=false",
  ]);
});

test("the controller manager signs certificates and runs the controllers of bootstrap tokens", () => {
  expect(defaultFlags("kube-controller-manager", network, paths)).toMatchObject({
    controllers: "*,bootstrapsigner,tokencleaner",
    "cluster-signing-cert-file": "/l/pki/ca.crt",
    "cluster-signing-key-file": "/l/pki/ca.key",
    "cluster-signing-duration": "24h",
  });
});

test.each(COMPONENTS)("%s listens on loopback or the lab's bridge only", (component) => {
  const flags = defaultFlags(component, network, paths);
  const listening = Object.entries(flags).filter(([name]) => /^(bind-address|listen-.*-urls)$/.test(name));
  expect(listening.length).toBeGreaterThan(0);
  for (const [, value] of listening) {
    expect(value).toMatch(/^(10\.89\.3\.1|127\.89\.3\.1|https:\/\/127\.89\.3\.1:\d+)$/);
  }
  expect(readinessUrl(component, network)).toMatch(/^https:\/\/(10|127)\.89\.3\.1:\d+\//);
});

test("an override replaces a flag in its place, and a new flag comes last", () => {
  expect(commandLine({ a: "1", b: "2" }, ["--a=x=y", "--c"])).toEqual(["--a=x=y", "--b=2", "--c=true"]);
});

test.each([
  ["--name=value", ["name", "value"]],
  ["--name", ["name", "true"]],
  ["--name=", ["name", ""]],
  ["--v=3", ["v", "3"]],
  ["-name=value", undefined],
  ["name=value", undefined],
  ["--Name=value", undefined],
  ["--", undefined],
  ["", undefined],
])("parses the flag %j", (text, parsed) => {
  expect(parseFlag(text)).toEqual(parsed);
});

test.each([
  ["kube-apiserver=--v=3", { component: "kube-apiserver", flag: "--v=3" }],
  ["etcd=--snapshot-count=5", { component: "etcd", flag: "--snapshot-count=5" }],
])("parses the override %j", (text, parsed) => {
  expect(parseOverride(text)).toEqual(parsed);
});

test.each(["kube-apiserver=v=3", "kube-proxy=--v=3", "--v=3", "kube-apiserver"])("refuses the override %j", (text) => {
  expect(() => parseOverride(text)).toThrow(`"${text}" is not <component>=<--flag=value>`);
});

test("a new override replaces the remembered one of the same name", () => {
  const added = ["etcd=--a=3", "etcd=--c", "kube-scheduler=--v=3"].map(parseOverride);
  expect(mergeOverrides({ etcd: ["--a=1", "--b=2"] }, added)).toEqual({
    etcd: ["--b=2", "--a=3", "--c"],
    "kube-scheduler": ["--v=3"],
  });
});
