import { type Json, secret, UNKNOWN } from "../../../protocolValues";
import { metadata, secretType, start } from "./standIn";

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

  test("a changed stringData replaces the Secret, with the delete first", async () => {
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

  test("a new name replaces the object, with the create first", async () => {
    const after = { ...secretOf({ a: "1" }), metadata: { ...metadata, name: "other" } };
    const { detailed, deleteBeforeReplace } = await diff(secretType, secretOf({ a: "1" }), after);
    expect(detailed["metadata.name"]).toBe("update-replace");
    expect(deleteBeforeReplace).toBe(false);
  });

  test.each([
    [{}, "update-replace"],
    [{ enableConfigMapMutable: "true" }, "update"],
    [{ enableConfigMapMutable: true }, "update"],
  ])("changed data of a ConfigMap with the configuration %j: %s", async (config, kind) => {
    const { detailed } = await diff("kubernetes:core/v1:ConfigMap", map("1"), map("2"), config);
    expect(detailed).toEqual({ "data.a": kind });
  });

  test("enableConfigMapMutable does not apply to Secrets", async () => {
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
    ["role reference replaces it", binding("b", "g"), { "roleRef.name": "update-replace" }],
    ["subjects change in place", binding("a", "h"), { "subjects[0].name": "update" }],
  ])("a binding's %s", async (_title, after, expected) => {
    expect((await diff(type, binding("a", "g"), after)).detailed).toEqual(expected);
  });

  test.each([
    ["no difference", { mine: "1" }, {}, []],
    ["a difference where they were ours", {}, { "metadata.labels.mine": "delete" }, ["metadata.labels.mine"]],
  ])("fields that the cluster and others set are %s", async (_title, labels, expected, inputDiffs) => {
    const node = (own: Json): Json => ({ apiVersion: "v1", kind: "Node", metadata: { name: "n", labels: own } });
    const live = {
      metadata: { name: "n", uid: "u", resourceVersion: "7", labels: { mine: "1", "kubernetes.io/os": "linux" } },
      spec: { podCIDR: "10.1.0.0/24", unschedulable: true },
    };
    const answer = await diff("kubernetes:core/v1:Node", node({ mine: "1" }), node(labels), {}, live);
    expect(answer).toMatchObject({ detailed: expected, inputDiffs });
  });

  test("a Secret with unknown text is replaced", async () => {
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
