import { spawnSync } from "node:child_process";
import { type HostConf, renderConf } from "../../../components/host/hostConf";
import { renderBundle } from "../../../components/host/hostFiles";
import { renderHostScript } from "../../../components/worker/hostScript";
import { fixedSettingChecks } from "../../../components/kubelet/fixedSettings";
import { merge } from "../../../components/validation/maps";
import { allowsCgroupV1, keepsSwap, portsOf, renderKubeletConfig } from "../../../components/kubelet/kubeletConfig";
import { renderKubeletUnit } from "../../../components/kubelet/kubeletUnit";

const CONFIG = {
  clusterDomain: "cluster.local",
  clusterDns: ["10.96.0.10"],
  containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
  servingMode: "issued",
  settings: {},
} as const;

describe("renderKubeletConfig", () => {
  it("is complete and hardened", () =>
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

  it("has the kubelet ask the cluster for its serving certificate, when none is issued", () => {
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

describe("merge", () => {
  it("goes into maps and takes lists whole", () =>
    expect(merge({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, d: { e: 1 } })).toEqual({
      a: { b: 1, c: [3] },
      d: { e: 1 },
    }));
  it("leaves what it merges alone", () => {
    const under = { a: { b: 1 } };
    merge(under, { a: { b: 2 } });
    expect(under).toEqual({ a: { b: 1 } });
  });
});

describe("fixedSettingChecks", () => {
  it.each([
    [{ authentication: { anonymous: { enabled: true } } }, "at.authentication.anonymous.enabled"],
    [{ authorization: { mode: "AlwaysAllow" } }, "at.authorization.mode"],
    [{ readOnlyPort: 10255 }, "at.readOnlyPort"],
    [{ rotateCertificates: false }, "at.rotateCertificates"],
    [{ authentication: { x509: { clientCAFile: "/tmp/ca" } } }, "at.authentication.x509.clientCAFile"],
    [{ kind: "Pod" }, "at.kind"],
  ])("refuses %j", (settings, where) =>
    expect(fixedSettingChecks("at", settings).flatMap(([at, problem]) => (problem ? [at] : []))).toEqual([where]),
  );
  it("accepts the rest, and what is so already", () =>
    expect(
      fixedSettingChecks("at", { maxPods: 5, readOnlyPort: 0, authorization: { mode: "Webhook" } }).filter(
        ([, problem]) => problem,
      ),
    ).toEqual([]));
});

it("keeps swap only when the kubelet is told to live with it", () => {
  expect(keepsSwap({})).toBe(false);
  expect(keepsSwap({ failSwapOn: true })).toBe(false);
  expect(keepsSwap({ failSwapOn: false })).toBe(true);
});

it("tells the host's checks what the kubelet needs: control groups and ports", () => {
  expect(["1.33.1", "1.34.4", "1.35.0"].map((version) => allowsCgroupV1({}, version))).toEqual([true, true, false]);
  expect(allowsCgroupV1({ failCgroupV1: true }, "1.34.4")).toBe(false);
  expect(allowsCgroupV1({ failCgroupV1: false }, "1.35.0")).toBe(true);
  expect(portsOf({})).toEqual([10250, 10248]);
  expect(portsOf({ port: 11250, healthzPort: 0 })).toEqual([11250]);
});

it("renders the kubelet's unit", () =>
  expect(renderKubeletUnit({ kubernetesVersion: "1.34.4", nodeName: "worker-1", nodeAddress: "10.0.1.11" }))
    .toBe(`[Unit]
Description=kubelet, the Kubernetes node agent
Documentation=https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
Wants=network-online.target
After=network-online.target containerd.service
# While the API server is away the kubelet ends again and again; systemd must never give up on it.
StartLimitIntervalSec=0

[Service]
ExecStart=/opt/kubernetes/v1.34.4/bin/kubelet \\
  --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
  --kubeconfig=/etc/kubernetes/kubelet.conf \\
  --cert-dir=/var/lib/kubelet/pki \\
  --config=/var/lib/kubelet/config.yaml \\
  --hostname-override=worker-1 \\
  --node-ip=10.0.1.11
Restart=always
RestartSec=5
# The kubelet reports its own use of CPU and memory from its cgroup.
CPUAccounting=true
MemoryAccounting=true

[Install]
WantedBy=multi-user.target
`));

describe("renderBundle", () => {
  it("shows each file as it will stand on the worker", () =>
    expect(
      renderBundle([
        { path: "/etc/a", mode: "0644", text: "one\n$two `three`\n" },
        { path: "/etc/b", mode: "0600", text: "four\n", restarts: "kubelet" },
      ]),
    ).toBe(`file 0644 /etc/a <<'END-OF-FILE'
one
$two \`three\`
END-OF-FILE
file 0600 /etc/b kubelet <<'END-OF-FILE'
four
END-OF-FILE
# end of bundle
`));

  it("refuses text that would cut a file short", () => {
    expect(() => renderBundle([{ path: "/etc/a", mode: "0644", text: "END-OF-FILE\nrm -rf /\n" }])).toThrow("/etc/a");
    expect(() => renderBundle([{ path: "/etc/a", mode: "0644", text: "no newline" }])).toThrow("/etc/a");
  });
});

it("renders variables that a shell reads back as they were", () => {
  const values = { A: "plain", B: "it's $HOME `id`", C: "two\nlines" };
  const shell = spawnSync("sh", ["-c", `${renderConf(values)}printf '%s|%s|%s' "$A" "$B" "$C"`], {
    encoding: "utf8",
  });
  expect(shell.stdout).toBe("plain|it's $HOME `id`|two\nlines");
});

describe("renderHostScript", () => {
  const script = renderHostScript({ KUBERNETES_VERSION: "1.34.4" } as HostConf);

  it("is a whole shell script that carries the others and their parameters", () => {
    expect(spawnSync("sh", ["-n"], { input: script }).status).toBe(0);
    for (const name of [
      "common",
      "download",
      "run",
      "preflight",
      "host",
      "runtime",
      "runtime-packages",
      "runtime-tarball",
      "serving",
      "kubelet",
      "join",
      "leave",
    ])
      expect(script).toContain(`/opt/tls-bootstrap/scripts/${name}.sh <<'END-OF-FILE'\n`);
    expect(script).toContain(
      "file 0644 /etc/tls-bootstrap/host.conf <<'END-OF-FILE'\nKUBERNETES_VERSION='1.34.4'\nEND-OF-FILE\n",
    );
    expect(script).not.toContain("/usr/local/lib/"); // read-only on some systems
  });

  it("runs nothing when the connection breaks off anywhere in the middle", () => {
    // Cut after each line but the last: the shell must not have run `main`, whose first act is to make a folder.
    const lines = script.split("\n");
    for (let cut = 1; cut < lines.length - 1; cut += 37) {
      const part = lines.slice(0, cut).join("\n").replace("staged=$(mktemp", "echo RAN >&2; staged=$(mktemp");
      expect(spawnSync("sh", ["-s"], { input: part, encoding: "utf8" }).stderr).not.toContain("RAN");
    }
  });
});
