import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parseSettings } from "../../../settings/settings";
import { CA, SSH_KEY } from "../fixtures";
import { REPOSITORY } from "../../repository";
import { good, KUBECONFIG, report, settings } from "./goodSettings";
import { storedConfig } from "./storedConfig";

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
      drain: { timeoutSeconds: 300, barePods: "refuse", emptyDirData: "refuse" },
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
  expect(Object.keys(defaults)).toHaveLength(15);
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

it("reports all problems at once", () =>
  expect(
    report({
      kubernetesVersion: "x",
      tokenTtl: "x",
      pools: [{ name: "X", workers: [{ name: "Y", address: "z;", hostKey: "k" }] }],
    }),
  ).toHaveLength(8));

it("accepts a worker with the address and host key of a lost one", () => {
  const [one] = good.pools[0].workers;
  const { pools } = settings({
    pools: [{ name: "worker", workers: [one, { ...one, name: "gone", lost: true, nodeAddress: one.address }] }],
  }).bootstrap;
  expect(pools[0].workers.map(({ lost }) => lost)).toEqual([false, true]);
});

it("shows no secret in a report", () => {
  const broken = SSH_KEY.replace(/\n(.{10})/, "\nAAAA$1");
  const lines = report({ ssh: { privateKey: broken }, cluster: { server: "x", ca: CA, token: 5, clientKey: broken } });
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.join("\n")).not.toContain(SSH_KEY.split("\n")[1].slice(10, 40));
});

describe("the samples that come with the project", () => {
  const read = (...path: string[]) => readFileSync(join(REPOSITORY, ...path), "utf8");
  const samples = readdirSync(join(REPOSITORY, "stacks", "examples")).flatMap((file) =>
    file === "Pulumi.yaml" ? [] : [[`stacks/examples/${file}`, read("stacks", "examples", file)]],
  );
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
