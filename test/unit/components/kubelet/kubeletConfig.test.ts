import { allowsCgroupV1, keepsSwap, portsOf, renderKubeletConfig } from "../../../../components/kubelet/kubeletConfig";

const CONFIG = {
  clusterDomain: "cluster.local",
  clusterDns: ["10.96.0.10"],
  containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
  servingMode: "issued",
  settings: {},
} as const;

describe("renderKubeletConfig", () => {
  it("renders the complete, hardened config", () =>
    expect(renderKubeletConfig(CONFIG)).toBe(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
    cacheTTL: 2m0s
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
readOnlyPort: 0
rotateCertificates: true
serverTLSBootstrap: false
tlsCertFile: /etc/kubernetes/pki/kubelet-serving.crt
tlsPrivateKeyFile: /etc/kubernetes/pki/kubelet-serving.key
tlsMinVersion: VersionTLS12
tlsCipherSuites:
  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
  - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
  - TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
healthzBindAddress: 127.0.0.1
clusterDomain: cluster.local
clusterDNS:
  - 10.96.0.10
resolvConf: /etc/tls-bootstrap/resolv.conf
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: systemd
runtimeRequestTimeout: 15m0s
streamingConnectionIdleTimeout: 5m0s
makeIPTablesUtilChains: true
eventRecordQPS: 50
podPidsLimit: 4096
seccompDefault: true
failSwapOn: true
`));

  it("makes the kubelet request a serving certificate when the stack issues none", () => {
    const lines = renderKubeletConfig({ ...CONFIG, servingMode: "approver" }).split("\n");
    expect(lines.filter((line) => /^(serverTLSBootstrap|tlsCert|tlsPrivate)/.test(line))).toEqual([
      "serverTLSBootstrap: true",
    ]);
  });

  it("changes one line for one setting", () => {
    const before = renderKubeletConfig(CONFIG).split("\n");
    const after = renderKubeletConfig({ ...CONFIG, settings: { maxPods: 50 } }).split("\n");
    expect(after.filter((line) => !before.includes(line))).toEqual(["maxPods: 50"]);
    expect(before.filter((line) => !after.includes(line))).toEqual([]);
  });

  it("keeps long values on one line", () =>
    expect(renderKubeletConfig({ ...CONFIG, settings: { providerID: "x".repeat(300) } })).toContain(
      `\nproviderID: ${"x".repeat(300)}\n`,
    ));
});

it("keeps swap on only with failSwapOn: false", () => {
  expect(keepsSwap({})).toBe(false);
  expect(keepsSwap({ failSwapOn: true })).toBe(false);
  expect(keepsSwap({ failSwapOn: false })).toBe(true);
});

it("tells the preflight checks whether cgroup v1 is allowed, and which ports the kubelet uses", () => {
  expect(["1.33.1", "1.34.4", "1.35.0"].map((version) => allowsCgroupV1({}, version))).toEqual([true, true, false]);
  expect(allowsCgroupV1({ failCgroupV1: true }, "1.34.4")).toBe(false);
  expect(allowsCgroupV1({ failCgroupV1: false }, "1.35.0")).toBe(true);
  expect(portsOf({})).toEqual([10250, 10248]);
  expect(portsOf({ port: 11250, healthzPort: 0 })).toEqual([11250]);
});
