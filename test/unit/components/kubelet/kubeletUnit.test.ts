import { renderKubeletUnit, systemdWord } from "../../../../components/kubelet/kubeletUnit";

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
  --bootstrap-kubeconfig=/run/tls-bootstrap/bootstrap-kubelet.conf \\
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

it("puts kubeletFlags into the unit in order of name, after the module's own flags", () => {
  const unit = (flags?: Record<string, string | number>) =>
    renderKubeletUnit({ kubernetesVersion: "1.34.4", nodeName: "worker-1", nodeAddress: "10.0.1.11", flags });
  const lines = unit().split("\n");
  const more = unit({ "runtime-cgroups": "/a b", "cloud-provider": "external" }).split("\n");
  const i = lines.indexOf("  --node-ip=10.0.1.11");
  expect(more).toEqual([
    ...lines.slice(0, i),
    "  --node-ip=10.0.1.11 \\",
    "  --cloud-provider=external \\",
    '  "--runtime-cgroups=/a b"',
    ...lines.slice(i + 1),
  ]);
});

it.each([
  ["--a=/b/c.d,e:f", "--a=/b/c.d,e:f"],
  ["--a=b c", '"--a=b c"'],
  ['--a="b"', '"--a=\\"b\\""'],
  ["--a=\\n", '"--a=\\\\n"'],
  ["--a=%n", "--a=%%n"],
  ["--a=$HOME", "--a=$$HOME"],
  ["--a=;'é", '"--a=;\'é"'],
])("escapes %s so that systemd reads it unchanged", (text, expected) => expect(systemdWord(text)).toBe(expected));
