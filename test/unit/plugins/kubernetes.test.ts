import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { kubernetesPlugin } from "../../../lab/plugins/kubernetes/kubernetesPlugin";
import { fieldHandoverPatch, applyIgnoreChanges } from "../../../lab/plugins/kubernetes/fieldManagers";
import { readKubeconfig } from "../../../lab/plugins/kubernetes/clusterAccess";
import { annotateSecrets, normalize, prune, type KubeObject } from "../../../lab/plugins/kubernetes/kubeObject";
import { notReadyReason } from "../../../lab/plugins/kubernetes/ready";
import { InitFailed, type Json, type Plugin, secret, UNKNOWN } from "../../pluginClient";
import { ServedPlugin } from "./inProcess";

const kubeconfig = (server: string, token = "t") => ({
  "current-context": "x",
  contexts: [
    { name: "y", context: { cluster: "d", user: "u" } },
    { name: "x", context: { cluster: "c", user: "u", namespace: "mine" } },
  ],
  clusters: [
    { name: "d", cluster: { server: "https://other" } },
    { name: "c", cluster: { server, "certificate-authority-data": "Q0E=" } },
  ],
  users: [{ name: "u", user: { token } }],
});

let served: ServedPlugin | undefined;
async function start(config: Json = {}): Promise<Plugin> {
  await served?.stop();
  served = await ServedPlugin.start(kubernetesPlugin, config);
  return served.plugin;
}
afterEach(async () => {
  await served?.stop();
  served = undefined;
});

const metadata = { name: "n", namespace: "ns" };
const secretType = "kubernetes:core/v1:Secret";

describe("differences", () => {
  /** Comparisons need no server. */
  async function diff(type: string, before: Json, after: Json, config: Json = {}, live: Json = {}) {
    const plugin = await start(config);
    const outputs = { ...before, ...live, __inputs: before, __fieldManager: "m" };
    return plugin.diff({ type }, { id: "ns/n", inputs: before, outputs }, after);
  }

  const secretOf = (stringData: Json): Json => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    stringData: secret(stringData),
  });
  const map = (value: string): Json => ({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: value } });

  test("a Secret's stringData is compared as data, and replaces, deleting first", async () => {
    const live = { data: secret({ a: "MQ==" }), stringData: null };
    expect((await diff(secretType, secretOf({ a: "1" }), secretOf({ a: "1" }), {}, live)).changes).toBe(false);
    expect(await diff(secretType, secretOf({ a: "1" }), secretOf({ a: "2" }), {}, live)).toEqual({
      changes: true,
      detailed: { "data.a": "update-replace" },
      inputDiffs: [],
      replaces: ["data.a"],
      deleteBeforeReplace: true,
    });
  });

  test("a new name replaces without deleting first", async () => {
    const after = { ...secretOf({ a: "1" }), metadata: { ...metadata, name: "other" } };
    const { detailed, deleteBeforeReplace } = await diff(secretType, secretOf({ a: "1" }), after);
    expect(detailed["metadata.name"]).toBe("update-replace");
    expect(deleteBeforeReplace).toBe(false);
  });

  test.each([
    [{}, "update-replace"],
    [{ enableConfigMapMutable: "true" }, "update"],
    [{ enableConfigMapMutable: true }, "update"],
  ])("a ConfigMap's data under %j: %s", async (config, kind) => {
    const { detailed } = await diff("kubernetes:core/v1:ConfigMap", map("1"), map("2"), config);
    expect(detailed).toEqual({ "data.a": kind });
  });

  test("enableConfigMapMutable leaves Secrets as they are", async () => {
    const config = { enableConfigMapMutable: "true" };
    const { detailed } = await diff(secretType, secretOf({ a: "1" }), secretOf({ a: "2" }), config);
    expect(detailed["data.a"]).toBe("update-replace");
  });

  const type = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";
  const binding = (role: string, group: string): Json => ({
    ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: "n" } },
    roleRef: { name: role },
    subjects: [{ name: group }],
  });
  test.each([
    ["reference replaces", binding("b", "g"), { "roleRef.name": "update-replace" }],
    ["subjects change in place", binding("a", "h"), { "subjects[0].name": "update" }],
  ])("a role's %s", async (_title, after, expected) => {
    expect((await diff(type, binding("a", "g"), after)).detailed).toEqual(expected);
  });

  test.each([
    ["no difference", { mine: "1" }, {}, []],
    ["a difference where it was ours", {}, { "metadata.labels.mine": "delete" }, ["metadata.labels.mine"]],
  ])("what the cluster and others set is %s", async (_title, labels, expected, inputDiffs) => {
    const node = (own: Json): Json => ({ apiVersion: "v1", kind: "Node", metadata: { name: "n", labels: own } });
    const live = {
      metadata: { name: "n", uid: "u", resourceVersion: "7", labels: { mine: "1", "kubernetes.io/os": "linux" } },
      spec: { podCIDR: "10.1.0.0/24", unschedulable: true },
    };
    const answer = await diff("kubernetes:core/v1:Node", node({ mine: "1" }), node(labels), {}, live);
    expect(answer).toMatchObject({ detailed: expected, inputDiffs });
  });

  test("a Secret whose text a preview does not know is replaced", async () => {
    const after = { apiVersion: "v1", kind: "Secret", metadata, stringData: UNKNOWN };
    const { detailed } = await diff(secretType, secretOf({ a: "1" }), after, {}, { data: secret({ a: "MQ==" }) });
    expect(detailed).toEqual({ data: "delete-replace", stringData: "add-replace" });
  });

  test("an unknown value is a difference", async () => {
    expect((await diff("kubernetes:core/v1:ConfigMap", map("1"), map(UNKNOWN))).changes).toBe(true);
  });

  test("ConfigMapPatch changes its data in place", async () => {
    expect((await diff("kubernetes:core/v1:ConfigMapPatch", map("1"), map("2"))).detailed).toEqual({
      "data.a": "update",
    });
  });
});

describe("configuration", () => {
  const source = (server: string, token?: string) => secret(JSON.stringify(kubeconfig(server, token)));
  const replaces = async (before: Json, after: Json) => (await (await start()).diffConfig(before, after)).replaces;

  test.each([
    ["another cluster replaces", source("https://b"), ["kubeconfig"]],
    ["other credentials do not", source("https://a", "new"), []],
    ["an unknown one replaces", UNKNOWN, ["kubeconfig"]],
  ])("%s", async (_title, after, expected) => {
    expect(await replaces({ kubeconfig: source("https://a") }, { kubeconfig: after })).toEqual(expected);
  });

  test.each([
    ["1", []],
    ["2", ["clusterIdentifier"]],
  ])("clusterIdentifier decides alone, where it is set: 1 to %s", async (clusterIdentifier, expected) => {
    const before = { kubeconfig: source("https://a"), clusterIdentifier: "1" };
    expect(await replaces(before, { kubeconfig: source("https://b"), clusterIdentifier })).toEqual(expected);
  });

  test.each([{ renderYamlToDirectory: "here" }, { enableServerSideApply: "false" }, { context: "x" }])(
    "%j is refused",
    async (config) => {
      const { failures } = await (await start()).checkConfig(config);
      expect(failures.map(({ property }) => property)).toEqual(Object.keys(config));
    },
  );

  test("a kubeconfig is text or a file, JSON or YAML", () => {
    const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
    const file = join(folder, "config");
    const config = kubeconfig("https://a/");
    writeFileSync(file, stringify(config));
    try {
      for (const source of [file, JSON.stringify(config)]) {
        expect(readKubeconfig(source)).toMatchObject({
          server: "https://a",
          namespace: "mine",
          token: "t",
          tls: { ca: Buffer.from("CA"), rejectUnauthorized: true },
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("credentials that the stand-in cannot get are refused by name", () => {
    const config = kubeconfig("https://a");
    Object.assign(config.users[0].user, { exec: { command: "aws" } });
    expect(() => readKubeconfig(JSON.stringify(config))).toThrow("does not support exec");
  });
});

describe("without a cluster", () => {
  const nowhere = { kubeconfig: JSON.stringify(kubeconfig("https://127.0.0.1:1")) };

  test("a preview checks and creates, and an update says what is wrong", async () => {
    const plugin = await start(nowhere);
    const which = { type: secretType, name: "own" };
    const news = { apiVersion: "v1", kind: "Secret", stringData: { a: "1" } };
    const { inputs } = await plugin.check(which, news);
    expect(inputs).toMatchObject({ apiVersion: "v1", kind: "Secret", metadata: { namespace: "mine" } });
    expect(inputs.metadata.name).toMatch(/^own-[0-9a-f]{8}$/);
    expect(inputs.data).toEqual(secret({ a: "MQ==" }));
    expect((await plugin.check(which, news)).inputs).toEqual(inputs);
    expect((await plugin.create(which, inputs, { preview: true })).outputs).toEqual(inputs);
    await expect(plugin.create(which, inputs)).rejects.toThrow(
      /cannot reach the API server https:\/\/127.0.0.1:1: .*ECONNREFUSED/,
    );
  });

  test.each([
    ["kubernetes:core/v1:SecretList", {}, "list resources cannot be created directly"],
    ["kubernetes:core/v1:SecretPatch", { kind: "Secret" }, "patch resources require the `.metadata.name` field"],
    [secretType, { metadata: { generateName: "x" } }, "`.metadata.generateName` field is not supported"],
    ["kubernetes:helm.sh/v3:Release", {}, "unknown to the stand-in for the kubernetes plugin"],
    ["kubernetes:yaml/v2:ConfigFile", {}, "unknown to the stand-in for the kubernetes plugin"],
  ])("%s %j is refused", async (type, inputs, message) => {
    await expect((await start(nowhere)).check({ type }, inputs)).rejects.toThrow(message);
  });
});

describe("with an API server", () => {
  const type = "kubernetes:apps/v1:Deployment";
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata };
  let api: Server;
  let requests: string[];

  beforeEach(async () => {
    requests = [];
    api = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      const resources = [{ name: "deployments", kind: "Deployment", namespaced: true }];
      const status = { observedGeneration: 0 };
      const object = {
        ...deployment,
        metadata: { ...metadata, generation: 1, uid: "u" },
        spec: { replicas: 1 },
        status,
      };
      response.end(JSON.stringify(request.url === "/apis/apps/v1" ? { resources } : object));
    });
    await new Promise<void>((done) => api.listen(0, "127.0.0.1", done));
  });
  afterEach(() => api.close());
  const config = () => {
    const { port } = api.address() as AddressInfo;
    return { kubeconfig: secret(JSON.stringify(kubeconfig(`http://127.0.0.1:${port}`))) };
  };

  test("cancel ends a wait, and what there is by then goes into the state", async () => {
    const plugin = await start(config());
    const making = plugin.create({ type }, deployment).catch((error: unknown) => error);
    while (!served?.engine.status().length) await new Promise((resume) => setTimeout(resume, 10));
    await plugin.cancel();
    const error = (await making) as InitFailed;
    expect(error).toBeInstanceOf(InitFailed);
    expect(error.reasons).toEqual([expect.stringContaining("the operation was cancelled")]);
    expect(error).toMatchObject({ id: "ns/n", outputs: { __inputs: deployment, metadata: { uid: "u" } } });
  });

  test("the kinds of an API group are asked for once", async () => {
    const plugin = await start(config());
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        plugin.check({ type, name: `n${i}` }, { apiVersion: "apps/v1", kind: "Deployment" }),
      ),
    );
    expect(requests).toEqual(["GET /apis/apps/v1"]);
  });

  test("an object that exists can be taken over", async () => {
    const plugin = await start({ ...config(), upsertExistingObjects: "true" });
    await plugin.create({ type }, deployment, { timeout: 0.1 }).catch(() => {});
    expect(requests[1]).toMatch(/^PATCH .*\/deployments\/n\?fieldManager=pulumi-kubernetes-[0-9a-f]{8}&force=false$/);
  });
});

describe("kubernetes objects", () => {
  test("are cut down to the shape of the inputs", () => {
    const live: Json = { a: 1, b: { c: 2, d: 3 }, list: [{ x: 1, y: 2 }, { x: 3 }], other: true };
    expect(prune(live, { a: 9, b: { c: 9 }, list: [{ x: 9 }] })).toEqual({ a: 1, b: { c: 2 }, list: [{ x: 1 }] });
  });

  test("stringData wins over data", () => {
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "Secret",
      data: { a: "old", b: "b" },
      stringData: { a: "new" },
    };
    expect(normalize(object)).toEqual({ apiVersion: "v1", kind: "Secret", data: { a: "bmV3", b: "b" } });
  });

  test("keep secret what was secret, and the data of a Secret", () => {
    expect(annotateSecrets({ a: "1", b: { c: "2" }, d: ["3"] }, { b: { c: secret("2") }, d: secret(["3"]) })).toEqual({
      a: "1",
      b: { c: secret("2") },
      d: secret(["3"]),
    });
    expect(annotateSecrets({ kind: "Secret", data: {} }, {})).toEqual({ kind: "Secret", data: secret({}) });
  });

  test("hand the fields of their creation over to the applying manager", () => {
    const created = {
      manager: "pulumi-kubernetes",
      operation: "Update" as const,
      fieldsV1: { "f:data": { "f:a": {} } },
    };
    const kubelet = {
      manager: "kubelet",
      operation: "Update" as const,
      fieldsV1: { "f:status": {} },
      subresource: "status",
    };
    const live: KubeObject = { metadata: { resourceVersion: "5", managedFields: [created, kubelet] } };
    expect(fieldHandoverPatch(live, "pulumi-kubernetes-1")).toEqual([
      {
        op: "replace",
        path: "/metadata/managedFields",
        value: [kubelet, { ...created, manager: "pulumi-kubernetes-1", operation: "Apply" }],
      },
      { op: "replace", path: "/metadata/resourceVersion", value: "5" },
    ]);
    expect(fieldHandoverPatch({ metadata: { managedFields: [kubelet] } }, "m")).toBeUndefined();
    const label = { ...created, manager: "kubectl-label" };
    expect(fieldHandoverPatch({ metadata: { managedFields: [label] } }, "m")).toBeDefined();
  });

  test.each([
    [
      "an unseen DaemonSet",
      "DaemonSet",
      { generation: 2 },
      { observedGeneration: 1 },
      "the controller has not seen it yet",
    ],
    [
      "a DaemonSet on its way",
      "DaemonSet",
      { generation: 1 },
      { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1 },
      "1 of 3 pods are ready",
    ],
    [
      "a DaemonSet that is there",
      "DaemonSet",
      { generation: 1 },
      { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 },
      undefined,
    ],
    [
      "one that nobody waits for",
      "DaemonSet",
      { generation: 2, annotations: { "pulumi.com/skipAwait": "true" } },
      {},
      undefined,
    ],
  ])("readiness of %s", (_title, kind, meta, status, expected) => {
    expect(notReadyReason({ apiVersion: "apps/v1", kind, metadata: meta, status })).toBe(expected);
  });
});

describe("a field in ignoreChanges, when an object is applied", () => {
  const live = (manager: string): KubeObject =>
    ({
      metadata: {
        name: "n",
        managedFields: [{ manager, operation: "Apply", fieldsV1: { "f:spec": { "f:unschedulable": {} } } }],
      },
      spec: { unschedulable: true },
    }) as unknown as KubeObject;
  const wanted = (spec: object): KubeObject => ({ metadata: { name: "n" }, spec });

  test("stays as it is where it is ours: left out, the server would take it away", () =>
    expect(applyIgnoreChanges(wanted({}), live("us"), "us", ["spec.unschedulable"])).toEqual(
      wanted({ unschedulable: true }),
    ));

  test("is left to whom it belongs to", () =>
    expect(applyIgnoreChanges(wanted({ unschedulable: false }), live("them"), "us", ["spec.unschedulable"])).toEqual(
      wanted({}),
    ));

  test("is applied as it is wanted where the object has none", () => {
    const bare = { metadata: { name: "n" }, spec: {} } as unknown as KubeObject;
    const object = wanted({ unschedulable: false });
    expect(applyIgnoreChanges(object, bare, "us", ["spec.unschedulable"])).toEqual(object);
  });

  test("does not touch the object that was given", () => {
    const object = wanted({});
    applyIgnoreChanges(object, live("us"), "us", ["spec.unschedulable"]);
    expect(object).toEqual(wanted({}));
  });
});
