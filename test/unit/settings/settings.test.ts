import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { renderKubeconfig } from "../../../components/cluster/kubeconfig";
import { parseSettings } from "../../../settings/settings";
import { CA, ED25519, ED25519_OTHER } from "../fixtures";

const KEY = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const KUBECONFIG = renderKubeconfig({ server: "https://10.0.0.1:6443", ca: CA }, "admin", { token: "t" });

const good = {
  cluster: { kubeconfig: KUBECONFIG },
  kubernetesVersion: "1.34.4",
  ssh: { user: "debian", privateKey: KEY },
  pools: [{ name: "worker", workers: [{ name: "worker-1", address: "10.0.1.11", hostKey: ED25519 }] }],
};

/** As Pulumi stores config: text stays text, everything else is JSON. */
const raw = (config: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(config)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );

const settings = (change: Record<string, unknown> = {}) => parseSettings("tls-bootstrap", raw({ ...good, ...change }));

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

it("fills in what is safe to assume", () =>
  expect(settings()).toMatchObject({
    cluster: good.cluster,
    bootstrap: {
      kubernetesVersion: good.kubernetesVersion,
      pools: good.pools,
      ssh: { user: "debian", port: 22, privateKey: KEY },
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

it("assumes what Pulumi.yaml says it does", () => {
  const project = parse(readFileSync(join(__dirname, "..", "..", "..", "Pulumi.yaml"), "utf8")) as {
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
      { server: "https://a:6443", caFile: "ca.crt", clientCertificate: "C", clientKey: KEY },
    ],
    ["a kubeconfig, and the server as workers see it", { kubeconfig: KUBECONFIG, server: "https://api.internal:6443" }],
  ])("can be told by %s", (_, cluster) => expect(settings({ cluster }).cluster).toEqual(cluster));

  it("can be told by a platform stack", () =>
    expect(settings({ cluster: undefined, platform: "org/platform/prod" }).platform).toBe("org/platform/prod"));
});

describe.each<[string, Record<string, unknown>, string[]]>([
  ["neither cluster nor platform", { cluster: undefined }, ["tls-bootstrap:cluster: is required (or 'platform')"]],
  ["both", { platform: "a/b/c" }, ["tls-bootstrap:cluster: cannot be given together with 'platform'"]],
  ["no credentials", { cluster: { server: "https://a", ca: CA } }, ["tls-bootstrap:cluster.kubeconfig: is required"]],
  [
    "nothing of the cluster",
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
  ["no version", { kubernetesVersion: undefined }, ["tls-bootstrap:kubernetesVersion: is required"]],
  ["an old version", { kubernetesVersion: "1.20.1" }, ["tls-bootstrap:kubernetesVersion: '1.20.1' is not supported"]],
  ["no SSH key", { ssh: { user: "debian" } }, ["tls-bootstrap:ssh.privateKey: is required"]],
  [
    "a public key for a private one",
    { ssh: { privateKey: ED25519 } },
    ["tls-bootstrap:ssh.privateKey: is not a private key"],
  ],
  ["no ssh at all", { ssh: undefined }, ["tls-bootstrap:ssh: is required"]],
  ["text for a map", { ssh: "root@worker" }, ["tls-bootstrap:ssh: is text, but must be a list or map of settings"]],
  [
    "a bastion without host key",
    { ssh: { privateKey: KEY, bastion: { host: "b" } } },
    ["tls-bootstrap:ssh.bastion.hostKey: is required"],
  ],
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
  [
    "an open kubelet",
    worker({ kubelet: { authentication: { anonymous: { enabled: true } } } }),
    ["tls-bootstrap:pools[0].workers[0].kubelet.authentication.anonymous.enabled: cannot be true"],
  ],
  [
    "an open kubelet for all",
    { kubelet: { readOnlyPort: 10255 } },
    ["tls-bootstrap:kubelet.readOnlyPort: cannot be 10255"],
  ],
  [
    "a misspelt kubelet field for all, once",
    { kubelet: { maxPod: 50 } },
    ["tls-bootstrap:kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?"],
  ],
  [
    "kubelet fields that this version does not have, and other problems beside them",
    { ...worker({ kubelet: { tlsCurvePreferences: [29] }, generation: 0 }), kubernetesVersion: "1.35.1" },
    [
      "tls-bootstrap:pools[0].workers[0].generation",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.35",
    ],
  ],
  ["kubelet settings that are no map", { kubelet: [1] }, ["tls-bootstrap:kubelet: must be a map of Kubelet"]],
  ["a token for ever", { tokenTtl: "never" }, ["tls-bootstrap:tokenTtl: 'never' is not a duration"]],
  ["a bad DNS address", { clusterDns: ["10.96.0"] }, ["tls-bootstrap:clusterDns[0]: '10.96.0' is not an IP address"]],
  [
    "an unknown way to serving certificates",
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
    { servingCertificates: { ca: { certificate: CA, key: KEY } } },
    ["tls-bootstrap:servingCertificates.ca.key: is not the key of 'certificate'"],
  ],
  [
    "a CA whose key is no PEM",
    { servingCertificates: { ca: { certificate: CA, key: "AAAA" } } },
    ["tls-bootstrap:servingCertificates.ca.key: cannot be read as a PEM private key without a passphrase"],
  ],
  [
    "a CA and an image where they have no use",
    { servingCertificates: { mode: "manual", ca: { certificate: CA, key: KEY }, image: "a/b:1" } },
    [
      "tls-bootstrap:servingCertificates.ca.key: is not the key of 'certificate'",
      "tls-bootstrap:servingCertificates.ca: is for the mode 'issued'; in 'manual' the cluster signs",
      "tls-bootstrap:servingCertificates.image: 'a/b:1' is the approver's image",
    ],
  ],
  [
    "no image",
    { servingCertificates: { mode: "approver", image: "a b" } },
    ["tls-bootstrap:servingCertificates.image: 'a b' is not a full image name"],
  ],
  [
    "kubelets that ask for certificates which nobody approves, and ones with files of their own",
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
    "kubelets that do not ask where they should",
    {
      servingCertificates: { mode: "manual" },
      kubelet: { serverTLSBootstrap: false, featureGates: { RotateKubeletServerCertificate: false } },
    },
    [
      "tls-bootstrap:kubelet.serverTLSBootstrap: cannot be false: it follows from servingCertificates.mode, which is 'manual'",
      "tls-bootstrap:kubelet.featureGates.RotateKubeletServerCertificate: cannot be false: with servingCertificates.mode 'manual' the kubelet needs it",
    ],
  ],
  ["an unknown mode", { clusterInfo: "adopt" }, ["tls-bootstrap:clusterInfo"]],
  ["a policy that only warns", { joinPolicy: "warn" }, ["tls-bootstrap:joinPolicy"]],
  [
    "a group that no token can have",
    { bindings: { group: "system:masters" } },
    ["tls-bootstrap:bindings.group: 'system:masters' is not a bootstrap token group"],
  ],
  [
    "a scale group whose token could not be renewed in time",
    { scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "90m" }] },
    ["tls-bootstrap:scaleGroups[0].tokenTtl: '90m' must be between 2h and 30d"],
  ],
  [
    "a scale group without end",
    { scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "31d" }] },
    ["tls-bootstrap:scaleGroups[0].tokenTtl: '31d' must be between 5m and 30d"],
  ],
  [
    "a prefix that no name has",
    { scaleGroups: [{ name: "burst", namePrefix: "Burst-" }] },
    ["tls-bootstrap:scaleGroups[0].namePrefix: 'Burst-' is not a prefix of node names"],
  ],
  [
    "scale groups that could claim names of others",
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
  [
    "a kube-proxy without the pods' network",
    { kubeProxy: { mode: "unit" } },
    ["tls-bootstrap:kubeProxy.clusterCidr: is required: the pods' network"],
  ],
  [
    "kube-proxy settings that are none",
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
  ["an unknown kind of kube-proxy", { kubeProxy: { mode: "pod" } }, ["tls-bootstrap:kubeProxy.mode"]],
  [
    "a mirror with a password",
    { downloadUrl: "https://u:p@mirror" },
    ["tls-bootstrap:downloadUrl: 'https://…@mirror' holds credentials"],
  ],
  [
    "two workers alike",
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
])("%s", (_, change, expected) => {
  it("is refused at its config key, and nothing else is", () => {
    const [first, ...lines] = report(change);
    expect(first).toBe(
      `The configuration of this stack cannot be used: ${expected.length === 1 ? "1 problem" : `${expected.length} problems`}`,
    );
    expect(lines).toEqual(expected.map((line) => expect.stringContaining(`  ${line}`) as unknown));
  });
});

it("reports everything at once", () =>
  expect(
    report({
      kubernetesVersion: "x",
      tokenTtl: "x",
      pools: [{ name: "X", workers: [{ name: "Y", address: "z;", hostKey: "k" }] }],
    }),
  ).toHaveLength(8));

it("shows no secret in a report", () => {
  const broken = KEY.replace(/\n(.{10})/, "\nAAAA$1");
  const lines = report({ ssh: { privateKey: broken }, cluster: { server: "x", ca: CA, token: 5, clientKey: broken } });
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.join("\n")).not.toContain(KEY.split("\n")[1].slice(10, 40));
});

describe("the samples that come with the project", () => {
  const repository = join(__dirname, "..", "..", "..");
  const read = (...path: string[]) => readFileSync(join(repository, ...path), "utf8");
  const samples = readdirSync(join(repository, "stacks", "examples")).map((file) => [
    `stacks/examples/${file}`,
    read("stacks", "examples", file),
  ]);
  const quickStart = /```yaml\n(.*?)```/s.exec(read("docs", "quick-start.md"))![1];

  it.each([...samples, ["docs/quick-start.md", quickStart]])("%s is valid once its secrets are set", (_, text) => {
    const { config } = parse(text) as { config: Record<string, any> };
    const values = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key.replace("tls-bootstrap:", ""), value]),
    );
    values.ssh.privateKey = KEY;
    if (!values.platform) values.cluster = { kubeconfig: KUBECONFIG };
    const { pools } = parseSettings("tls-bootstrap", raw(values)).bootstrap;
    expect(pools[0].workers.length).toBeGreaterThan(1);
  });
});
