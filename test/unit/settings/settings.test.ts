import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { renderKubeconfig } from "../../../components/cluster/kubeconfig";
import { parseSettings } from "../../../settings/settings";
import { CA, ED25519, ED25519_OTHER, SSH_KEY } from "../fixtures";
import { REPOSITORY } from "../../repository";
import { storedConfig } from "./storedConfig";

const KUBECONFIG = renderKubeconfig({ server: "https://10.0.0.1:6443", ca: CA }, "admin", { token: "t" });

const good = {
  cluster: { kubeconfig: KUBECONFIG },
  kubernetesVersion: "1.34.4",
  ssh: { user: "debian", privateKey: SSH_KEY },
  pools: [{ name: "worker", workers: [{ name: "worker-1", address: "10.0.1.11", hostKey: ED25519 }] }],
};

const settings = (change: Record<string, unknown> = {}) =>
  parseSettings("tls-bootstrap", storedConfig({ ...good, ...change }));

/** The lines of the report. */
const report = (change: Record<string, unknown>): string[] => {
  try {
    settings(change);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
};

const worker = (change: Record<string, unknown>) => ({
  pools: [{ name: "worker", workers: [{ ...good.pools[0].workers[0], ...change }] }],
});

it("fills in safe defaults", () =>
  expect(settings()).toMatchObject({
    cluster: good.cluster,
    bootstrap: {
      kubernetesVersion: good.kubernetesVersion,
      pools: good.pools,
      ssh: { user: "debian", port: 22, privateKey: SSH_KEY },
      clusterDomain: "cluster.local",
      binDir: "/usr/local/bin",
      proxy: {},
      runtime: { type: "preinstalled" },
      clusterDns: ["10.96.0.10"],
      clusterInfo: "publish",
      downloadUrl: "https://dl.k8s.io",
      tokenTtl: "1h",
      kubelet: {},
      kubeProxy: { mode: "off" },
      bindings: { mode: "create" },
      joinPolicy: "enforce",
      servingCertificates: { mode: "issued" },
      scaleGroups: [],
    },
  }));

it("has the defaults that Pulumi.yaml documents", () => {
  const project = parse(readFileSync(join(REPOSITORY, "Pulumi.yaml"), "utf8")) as {
    config: Record<string, any>;
  };
  const defaults = Object.fromEntries(
    Object.entries(project.config).flatMap(([key, value]) => ("default" in value ? [[key, value.default]] : [])),
  );
  expect(settings().bootstrap).toMatchObject(defaults);
  expect(Object.keys(defaults)).toHaveLength(14);
});

describe("where the cluster is", () => {
  it.each([
    ["a kubeconfig", { kubeconfig: KUBECONFIG }],
    ["server, CA and token", { server: "https://a:6443", ca: CA, token: "t" }],
    [
      "server, CA file and certificate",
      { server: "https://a:6443", caFile: "ca.crt", clientCertificate: "C", clientKey: SSH_KEY },
    ],
    [
      "a kubeconfig and another server URL for workers",
      { kubeconfig: KUBECONFIG, server: "https://api.internal:6443" },
    ],
  ])("can be given by %s", (_, cluster) => expect(settings({ cluster }).cluster).toEqual(cluster));

  it("can be given by a platform stack", () =>
    expect(settings({ cluster: undefined, platform: "org/platform/prod" }).platform).toBe("org/platform/prod"));
});

/** What is wrong, the change of the settings, and a part of each line of the report. */
type Refusal = [what: string, change: Record<string, unknown>, problems: string[]];

function describeRefusals(subject: string, refusals: Refusal[]): void {
  describe(subject, () => {
    it.each(refusals)("refuses %s at its config key, and reports nothing else", (_, change, problems) => {
      const [first, ...lines] = report(change);
      expect(first).toBe(
        `The configuration of this stack cannot be used: ${problems.length === 1 ? "1 problem" : `${problems.length} problems`}`,
      );
      expect(lines).toEqual(problems.map((line) => expect.stringContaining(`  ${line}`) as unknown));
    });
  });
}

describeRefusals("the place of the cluster", [
  ["neither cluster nor platform", { cluster: undefined }, ["tls-bootstrap:cluster: is required (or 'platform')"]],
  [
    "both cluster and platform",
    { platform: "a/b/c" },
    ["tls-bootstrap:cluster: cannot be given together with 'platform'"],
  ],
  ["no credentials", { cluster: { server: "https://a", ca: CA } }, ["tls-bootstrap:cluster.kubeconfig: is required"]],
  [
    "an empty cluster",
    { cluster: {} },
    [
      "tls-bootstrap:cluster.server: is required",
      "tls-bootstrap:cluster.ca: is required",
      "tls-bootstrap:cluster.kubeconfig: is required",
    ],
  ],
  [
    "a kubeconfig without CA",
    { cluster: { kubeconfig: "a: b" } },
    ["tls-bootstrap:cluster.kubeconfig: has no current context"],
  ],
  [
    "a certificate without key",
    { cluster: { server: "https://a", ca: CA, clientCertificate: "C" } },
    ["tls-bootstrap:cluster.clientKey: is required"],
  ],
  [
    "a bad CA",
    { cluster: { server: "https://a", ca: "x", token: "t" } },
    ["tls-bootstrap:cluster.ca: holds no PEM certificate"],
  ],
  [
    "a bad URL",
    { cluster: { server: "http://a", ca: CA, token: "t" } },
    ["tls-bootstrap:cluster.server: 'http://a' must begin with https://"],
  ],
  [
    "a short platform name",
    { cluster: undefined, platform: "prod" },
    ["tls-bootstrap:platform: 'prod' is not the full name of a stack"],
  ],
]);

describeRefusals("the version of Kubernetes", [
  ["no version", { kubernetesVersion: undefined }, ["tls-bootstrap:kubernetesVersion: is required"]],
  [
    "an unsupported version",
    { kubernetesVersion: "1.20.1" },
    ["tls-bootstrap:kubernetesVersion: '1.20.1' is not supported"],
  ],
]);

describeRefusals("SSH", [
  ["no SSH key", { ssh: { user: "debian" } }, ["tls-bootstrap:ssh.privateKey: is required"]],
  [
    "a public key in place of a private one",
    { ssh: { privateKey: ED25519 } },
    ["tls-bootstrap:ssh.privateKey: is not a private key"],
  ],
  ["no SSH settings", { ssh: undefined }, ["tls-bootstrap:ssh: is required"]],
  [
    "text in place of a map",
    { ssh: "root@worker" },
    ["tls-bootstrap:ssh: is text, but must be a list or map of settings"],
  ],
  [
    "a bastion without host key",
    { ssh: { privateKey: SSH_KEY, bastion: { host: "b" } } },
    ["tls-bootstrap:ssh.bastion.hostKey: is required"],
  ],
]);

describeRefusals("pools and workers", [
  ["no pools", { pools: undefined }, ["tls-bootstrap:pools: is required"]],
  ["a misspelt key", { pool: [] }, ["tls-bootstrap:pool: is not a setting"]],
  [
    "a misspelt key in a worker",
    worker({ hostkey: ED25519 }),
    ["tls-bootstrap:pools[0].workers[0].hostkey: is not a setting"],
  ],
  [
    "a worker without host key",
    worker({ hostKey: undefined }),
    ["tls-bootstrap:pools[0].workers[0].hostKey: is required"],
  ],
  [
    "a DNS name without node address",
    worker({ address: "w.example.com" }),
    ["tls-bootstrap:pools[0].workers[0].nodeAddress: is required when"],
  ],
  ["a long name", worker({ name: "a".repeat(64) }), ["tls-bootstrap:pools[0].workers[0].name: '"]],
  ["a bad label", worker({ labels: { "a b": "c" } }), ["tls-bootstrap:pools[0].workers[0].labels"]],
  [
    "a bad label value",
    worker({ labels: { a: "b c" } }),
    ["tls-bootstrap:pools[0].workers[0].labels.a: 'b c' is not a label value"],
  ],
  [
    "a taint without effect",
    worker({ taints: [{ key: "a" }] }),
    ["tls-bootstrap:pools[0].workers[0].taints[0].effect"],
  ],
  ["generation 0", worker({ generation: 0 }), ["tls-bootstrap:pools[0].workers[0].generation"]],
]);

describeRefusals("the kubelet", [
  [
    "a kubelet with anonymous access",
    worker({ kubelet: { authentication: { anonymous: { enabled: true } } } }),
    ["tls-bootstrap:pools[0].workers[0].kubelet.authentication.anonymous.enabled: cannot be true"],
  ],
  [
    "a read-only port for all kubelets",
    { kubelet: { readOnlyPort: 10255 } },
    ["tls-bootstrap:kubelet.readOnlyPort: cannot be 10255"],
  ],
  [
    "a misspelt kubelet field for all, once",
    { kubelet: { maxPod: 50 } },
    ["tls-bootstrap:kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?"],
  ],
  [
    "kubelet fields that this version does not have, beside other problems",
    { ...worker({ kubelet: { tlsCurvePreferences: [29] }, generation: 0 }), kubernetesVersion: "1.35.1" },
    [
      "tls-bootstrap:pools[0].workers[0].generation",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.35",
    ],
  ],
  ["kubelet settings that are no map", { kubelet: [1] }, ["tls-bootstrap:kubelet: must be a map of Kubelet"]],
]);

describeRefusals("tokens and DNS", [
  ["a token that never expires", { tokenTtl: "never" }, ["tls-bootstrap:tokenTtl: 'never' is not a duration"]],
  ["a bad DNS address", { clusterDns: ["10.96.0"] }, ["tls-bootstrap:clusterDns[0]: '10.96.0' is not an IP address"]],
]);

describeRefusals("serving certificates", [
  [
    "an unknown mode of serving certificates",
    { servingCertificates: { mode: "none" } },
    ["tls-bootstrap:servingCertificates.mode"],
  ],
  [
    "a CA without key",
    { servingCertificates: { ca: { certificate: CA } } },
    ["tls-bootstrap:servingCertificates.ca.key: is required"],
  ],
  [
    "a CA with the key of another",
    { servingCertificates: { ca: { certificate: CA, key: SSH_KEY } } },
    ["tls-bootstrap:servingCertificates.ca.key: is not the key of 'certificate'"],
  ],
  [
    "a CA whose key is no PEM",
    { servingCertificates: { ca: { certificate: CA, key: "AAAA" } } },
    ["tls-bootstrap:servingCertificates.ca.key: cannot be read as a PEM private key without a passphrase"],
  ],
  [
    "a CA and an image in a mode that uses neither",
    { servingCertificates: { mode: "manual", ca: { certificate: CA, key: SSH_KEY }, image: "a/b:1" } },
    [
      "tls-bootstrap:servingCertificates.ca.key: is not the key of 'certificate'",
      "tls-bootstrap:servingCertificates.ca: is for the mode 'issued'; in 'manual' the cluster signs",
      "tls-bootstrap:servingCertificates.image: 'a/b:1' is the approver's image",
    ],
  ],
  [
    "an image name with a blank",
    { servingCertificates: { mode: "approver", image: "a b" } },
    ["tls-bootstrap:servingCertificates.image: 'a b' is not a full image name"],
  ],
  [
    "kubelet settings that contradict the mode 'issued'",
    {
      kubelet: { serverTLSBootstrap: true },
      ...worker({ kubelet: { serverTLSBootstrap: false, tlsCertFile: "/a", tlsPrivateKeyFile: "/b" } }),
    },
    [
      "tls-bootstrap:kubelet.serverTLSBootstrap: cannot be true: it follows from servingCertificates.mode, which is 'issued'; with 'approver' and 'manual' kubelets ask the cluster",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsCertFile: cannot be set",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsPrivateKeyFile: cannot be set",
    ],
  ],
  [
    "kubelet settings that contradict the mode 'manual'",
    {
      servingCertificates: { mode: "manual" },
      kubelet: { serverTLSBootstrap: false, featureGates: { RotateKubeletServerCertificate: false } },
    },
    [
      "tls-bootstrap:kubelet.serverTLSBootstrap: cannot be false: it follows from servingCertificates.mode, which is 'manual'",
      "tls-bootstrap:kubelet.featureGates.RotateKubeletServerCertificate: cannot be false: with servingCertificates.mode 'manual' the kubelet needs it",
    ],
  ],
]);

describeRefusals("modes and groups", [
  ["an unknown mode of cluster-info", { clusterInfo: "adopt" }, ["tls-bootstrap:clusterInfo"]],
  ["a policy that only warns", { joinPolicy: "warn" }, ["tls-bootstrap:joinPolicy"]],
  [
    "a group that no token can have",
    { bindings: { group: "system:masters" } },
    ["tls-bootstrap:bindings.group: 'system:masters' is not a bootstrap token group"],
  ],
]);

describeRefusals("scale groups", [
  [
    "a scale group whose token expires too early",
    { scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "90m" }] },
    ["tls-bootstrap:scaleGroups[0].tokenTtl: '90m' must be between 2h and 30d"],
  ],
  [
    "a scale group whose token expires too late",
    { scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "31d" }] },
    ["tls-bootstrap:scaleGroups[0].tokenTtl: '31d' must be between 5m and 30d"],
  ],
  [
    "a prefix that no node name can have",
    { scaleGroups: [{ name: "burst", namePrefix: "Burst-" }] },
    ["tls-bootstrap:scaleGroups[0].namePrefix: 'Burst-' is not a prefix of node names"],
  ],
  [
    "scale groups with names and prefixes of others",
    {
      scaleGroups: [
        { name: "worker", namePrefix: "work" },
        { name: "a", namePrefix: "a-" },
        { name: "b", namePrefix: "a-b-" },
      ],
    },
    [
      "tls-bootstrap:scaleGroups[0].name: 'worker' is already the name of a pool or scale group",
      "tls-bootstrap:scaleGroups[0].namePrefix: 'work' is a prefix of the name of worker worker-1",
      "tls-bootstrap:scaleGroups[2].namePrefix: 'a-b-' overlaps with 'a-' of scale group a",
    ],
  ],
]);

describeRefusals("kube-proxy", [
  [
    "kube-proxy without the pods' network",
    { kubeProxy: { mode: "unit" } },
    ["tls-bootstrap:kubeProxy.clusterCidr: is required: the pods' network"],
  ],
  [
    "invalid kube-proxy settings",
    {
      kubeProxy: {
        mode: "daemonset",
        clusterCidr: "10.244.0.0",
        image: "kube-proxy",
        config: { mode: "ipvs", conntrack: { maxPerCore: -1, udpTimeout: "5" }, nodePortAddresses: ["10.0.0.1"] },
      },
    },
    [
      "tls-bootstrap:kubeProxy.clusterCidr: '10.244.0.0' is not a CIDR",
      "tls-bootstrap:kubeProxy.image: 'kube-proxy' is not a full image name",
      "tls-bootstrap:kubeProxy.config.nodePortAddresses[0]: '10.0.0.1' is not a CIDR",
      "tls-bootstrap:kubeProxy.config.conntrack.maxPerCore: ",
      "tls-bootstrap:kubeProxy.config.conntrack.udpTimeout: '5' is not a duration",
      "tls-bootstrap:kubeProxy.config.mode: is not a setting",
    ],
  ],
  ["an unknown mode of kube-proxy", { kubeProxy: { mode: "pod" } }, ["tls-bootstrap:kubeProxy.mode"]],
]);

describeRefusals("downloads", [
  [
    "a mirror with a password",
    { downloadUrl: "https://u:p@mirror" },
    ["tls-bootstrap:downloadUrl: 'https://…@mirror' holds credentials"],
  ],
]);

describeRefusals("workers that share something", [
  [
    "a pool and a worker that are declared twice",
    {
      pools: [
        good.pools[0],
        {
          name: "worker",
          workers: [good.pools[0].workers[0], { name: "b", address: "10.0.1.12", hostKey: ED25519_OTHER }],
        },
      ],
    },
    [
      "tls-bootstrap:pools[1].name: 'worker' is already the name of pools[0].name",
      "tls-bootstrap:pools[1].workers[0].name: 'worker-1' is already the name of pools[0].workers[0].name",
      "tls-bootstrap:pools[1].workers[0].address: '10.0.1.11' is already the address of pools[0].workers[0].address",
      "tls-bootstrap:pools[1].workers[0].hostKey: '",
    ],
  ],
  [
    "two workers with one node address",
    {
      pools: [
        {
          ...good.pools[0],
          workers: [
            good.pools[0].workers[0],
            { name: "b", address: "b.example.com", nodeAddress: "10.0.1.11", hostKey: ED25519_OTHER },
          ],
        },
      ],
    },
    [
      "tls-bootstrap:pools[0].workers[1].nodeAddress: '10.0.1.11' is already the node address of pools[0].workers[0].address",
    ],
  ],
]);

it("reports all problems at once", () =>
  expect(
    report({
      kubernetesVersion: "x",
      tokenTtl: "x",
      pools: [{ name: "X", workers: [{ name: "Y", address: "z;", hostKey: "k" }] }],
    }),
  ).toHaveLength(8));

it("shows no secret in a report", () => {
  const broken = SSH_KEY.replace(/\n(.{10})/, "\nAAAA$1");
  const lines = report({ ssh: { privateKey: broken }, cluster: { server: "x", ca: CA, token: 5, clientKey: broken } });
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.join("\n")).not.toContain(SSH_KEY.split("\n")[1].slice(10, 40));
});

describe("the samples that come with the project", () => {
  const read = (...path: string[]) => readFileSync(join(REPOSITORY, ...path), "utf8");
  const samples = readdirSync(join(REPOSITORY, "stacks", "examples")).map((file) => [
    `stacks/examples/${file}`,
    read("stacks", "examples", file),
  ]);
  const quickStart = /```yaml\n(.*?)```/s.exec(read("docs", "quick-start.md"))![1];

  it.each([...samples, ["docs/quick-start.md", quickStart]])("%s is valid once its secrets are set", (_, text) => {
    const { config } = parse(text) as { config: Record<string, any> };
    const values = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key.replace("tls-bootstrap:", ""), value]),
    );
    values.ssh.privateKey = SSH_KEY;
    if (!values.platform) values.cluster = { kubeconfig: KUBECONFIG };
    const { pools } = parseSettings("tls-bootstrap", storedConfig(values)).bootstrap;
    expect(pools[0].workers.length).toBeGreaterThan(1);
  });
});
