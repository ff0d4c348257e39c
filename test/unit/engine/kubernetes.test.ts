import { kubernetes } from "../../../lab/plugins/kubernetes";
import { handOver } from "../../../lab/plugins/kubernetes/fieldManagers";
import { annotateSecrets, normalize, prune, type KubeObject } from "../../../lab/plugins/kubernetes/object";
import { notReady } from "../../../lab/plugins/kubernetes/ready";
import { Secret, unknown, type Props } from "../../../lab/plugins/values";

/** Comparisons need no server. */
async function diff(type: string, before: Props, after: Props, config: Props = {}, live: Props = {}) {
  const provider = kubernetes.configure(config, { log: () => {}, status: () => {} });
  return provider.diff({
    ...{ urn: `urn:pulumi:dev::p::${type}::n`, type, name: "n", id: "ns/n" },
    oldInputs: before,
    oldOutputs: { ...before, ...live, __inputs: before, __fieldManager: "m" },
    newInputs: after,
    ignoreChanges: [],
  });
}

const metadata = { name: "n", namespace: "ns" };

describe("kubernetes differences", () => {
  const secretType = "kubernetes:core/v1:Secret";
  const secret = (stringData: Props): Props => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    stringData: new Secret(stringData),
  });

  test("a Secret's stringData is compared as data, and replaces, deleting first", async () => {
    const live = { data: new Secret({ a: "MQ==" }), stringData: null };
    expect((await diff(secretType, secret({ a: "1" }), secret({ a: "1" }), {}, live)).changes).toBe(false);
    expect(await diff(secretType, secret({ a: "1" }), secret({ a: "2" }), {}, live)).toEqual({
      changes: true,
      keys: { "data.a": { kind: "update", replace: true } },
      deleteBeforeReplace: true,
    });
  });

  test("a new name replaces without deleting first", async () => {
    const after = { ...secret({ a: "1" }), metadata: { ...metadata, name: "other" } };
    const { keys, deleteBeforeReplace } = await diff(secretType, secret({ a: "1" }), after);
    expect(keys["metadata.name"]).toEqual({ kind: "update", replace: true });
    expect(deleteBeforeReplace).toBe(false);
  });

  test.each([
    [{}, true],
    [{ enableConfigMapMutable: "true" }, false],
    [{ enableConfigMapMutable: true }, false],
  ])("a ConfigMap's data under %j: replace %s", async (config, replace) => {
    const map = (value: string): Props => ({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: value } });
    const { keys } = await diff("kubernetes:core/v1:ConfigMap", map("1"), map("2"), config);
    expect(keys).toEqual({ "data.a": { kind: "update", replace } });
  });

  test("enableConfigMapMutable leaves Secrets as they are", async () => {
    const { keys } = await diff(secretType, secret({ a: "1" }), secret({ a: "2" }), { enableConfigMapMutable: "true" });
    expect(keys["data.a"]?.replace).toBe(true);
  });

  test("a role's reference replaces, its subjects change in place", async () => {
    const type = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";
    const binding = (role: string, group: string): Props => ({
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: "n" } },
      roleRef: { name: role },
      subjects: [{ name: group }],
    });
    expect((await diff(type, binding("a", "g"), binding("b", "g"))).keys).toEqual({
      "roleRef.name": { kind: "update", replace: true },
    });
    expect((await diff(type, binding("a", "g"), binding("a", "h"))).keys).toEqual({
      "subjects[0].name": { kind: "update", replace: false },
    });
  });

  test("what the cluster and others set is no difference", async () => {
    const node = (labels: Props): Props => ({ apiVersion: "v1", kind: "Node", metadata: { name: "n", labels } });
    const live = {
      metadata: { name: "n", uid: "u", resourceVersion: "7", labels: { mine: "1", "kubernetes.io/os": "linux" } },
      spec: { podCIDR: "10.1.0.0/24", unschedulable: true },
    };
    expect((await diff("kubernetes:core/v1:Node", node({ mine: "1" }), node({ mine: "1" }), {}, live)).changes).toBe(
      false,
    );
    expect((await diff("kubernetes:core/v1:Node", node({ mine: "1" }), node({}), {}, live)).keys).toEqual({
      "metadata.labels.mine": { kind: "delete", replace: false },
    });
  });

  test("a Secret whose text a preview does not know is replaced", async () => {
    const after = { apiVersion: "v1", kind: "Secret", metadata, stringData: unknown };
    const live = { data: new Secret({ a: "MQ==" }) };
    const { keys } = await diff(secretType, secret({ a: "1" }), after, {}, live);
    expect(keys).toEqual({
      data: { kind: "delete", replace: true },
      stringData: { kind: "add", replace: true },
    });
  });

  test("an unknown value is a difference", async () => {
    const map = (value: Props[string]): Props => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata,
      data: { a: value },
    });
    expect((await diff("kubernetes:core/v1:ConfigMap", map("1"), map(unknown))).changes).toBe(true);
  });

  test("ConfigMapPatch changes its data in place", async () => {
    const map = (value: string): Props => ({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: value } });
    expect((await diff("kubernetes:core/v1:ConfigMapPatch", map("1"), map("2"))).keys).toEqual({
      "data.a": { kind: "update", replace: false },
    });
  });
});

describe("kubernetes provider configuration", () => {
  const kubeconfig = (server: string, token = "t"): Secret =>
    new Secret(
      JSON.stringify({
        "current-context": "x",
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server } }],
        users: [{ name: "u", user: { token } }],
      }),
    );
  const replaces = (before: Props, after: Props): boolean =>
    Object.values(kubernetes.diffConfig?.(before, after).keys ?? {}).some(({ replace }) => replace);

  test("another cluster replaces, other credentials do not", () => {
    expect(replaces({ kubeconfig: kubeconfig("https://a") }, { kubeconfig: kubeconfig("https://b") })).toBe(true);
    expect(replaces({ kubeconfig: kubeconfig("https://a") }, { kubeconfig: kubeconfig("https://a", "new") })).toBe(
      false,
    );
    expect(replaces({ kubeconfig: kubeconfig("https://a") }, { kubeconfig: unknown })).toBe(true);
  });

  test("clusterIdentifier decides alone, where it is set", () => {
    const config = (server: string, clusterIdentifier: string) => ({
      kubeconfig: kubeconfig(server),
      clusterIdentifier,
    });
    expect(replaces(config("https://a", "1"), config("https://b", "1"))).toBe(false);
    expect(replaces(config("https://a", "1"), config("https://a", "2"))).toBe(true);
  });
});

describe("kubernetes objects", () => {
  test("are cut down to the shape of the inputs", () => {
    const live = { a: 1, b: { c: 2, d: 3 }, list: [{ x: 1, y: 2 }, { x: 3 }], other: true };
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

  test("keep secret what was secret", () => {
    expect(
      annotateSecrets({ a: "1", b: { c: "2" }, d: ["3"] }, { b: { c: new Secret("2") }, d: new Secret(["3"]) }),
    ).toEqual({
      a: "1",
      b: { c: new Secret("2") },
      d: new Secret(["3"]),
    });
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
    expect(handOver(live, "pulumi-kubernetes-1")).toEqual([
      {
        op: "replace",
        path: "/metadata/managedFields",
        value: [kubelet, { ...created, manager: "pulumi-kubernetes-1", operation: "Apply" }],
      },
      { op: "replace", path: "/metadata/resourceVersion", value: "5" },
    ]);
    expect(handOver({ metadata: { managedFields: [kubelet] } }, "m")).toBeUndefined();
    const label = { ...created, manager: "kubectl-label" };
    expect(handOver({ metadata: { managedFields: [label] } }, "m")).toBeDefined();
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
    expect(notReady({ apiVersion: "apps/v1", kind, metadata: meta, status })).toBe(expected);
  });
});
