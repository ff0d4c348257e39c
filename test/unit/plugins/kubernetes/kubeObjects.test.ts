import { applyIgnoreChanges, fieldHandoverPatch } from "../../../../lab/plugins/kubernetes/fieldManagers";
import { annotateSecrets, type KubeObject, normalize, prune } from "../../../../lab/plugins/kubernetes/kubeObject";
import { notReadyReason } from "../../../../lab/plugins/kubernetes/ready";
import { type Json, secret } from "../../../protocolValues";

describe("kubernetes objects", () => {
  test("are reduced to the fields of the inputs", () => {
    const live: Json = { a: 1, b: { c: 2, d: 3 }, list: [{ x: 1, y: 2 }, { x: 3 }], other: true };
    expect(prune(live, { a: 9, b: { c: 9 }, list: [{ x: 9 }] })).toEqual({ a: 1, b: { c: 2 }, list: [{ x: 1 }] });
  });

  test("prefer stringData over data", () => {
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "Secret",
      data: { a: "old", b: "b" },
      stringData: { a: "new" },
    };
    expect(normalize(object)).toEqual({ apiVersion: "v1", kind: "Secret", data: { a: "bmV3", b: "b" } });
  });

  test("keep secret inputs secret, and the data of Secrets", () => {
    expect(annotateSecrets({ a: "1", b: { c: "2" }, d: ["3"] }, { b: { c: secret("2") }, d: secret(["3"]) })).toEqual({
      a: "1",
      b: { c: secret("2") },
      d: secret(["3"]),
    });
    expect(annotateSecrets({ kind: "Secret", data: {} }, {})).toEqual({ kind: "Secret", data: secret({}) });
  });

  test("hand the fields of their creation over to the manager that applies", () => {
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
      "a DaemonSet that its controller has not seen",
      "DaemonSet",
      { generation: 2 },
      { observedGeneration: 1 },
      "the controller has not seen it yet",
    ],
    [
      "a DaemonSet that is rolling out",
      "DaemonSet",
      { generation: 1 },
      { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1 },
      "1 of 3 pods are ready",
    ],
    [
      "a DaemonSet that is ready",
      "DaemonSet",
      { generation: 1 },
      { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 },
      undefined,
    ],
    [
      "a DaemonSet with skipAwait",
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

  test("keeps its live value where it is ours, since the server removes fields that are left out", () =>
    expect(applyIgnoreChanges(wanted({}), live("us"), "us", ["spec.unschedulable"])).toEqual(
      wanted({ unschedulable: true }),
    ));

  test("is left out where another manager owns it", () =>
    expect(applyIgnoreChanges(wanted({ unschedulable: false }), live("them"), "us", ["spec.unschedulable"])).toEqual(
      wanted({}),
    ));

  test("is applied where the object does not have it", () => {
    const bare = { metadata: { name: "n" }, spec: {} } as unknown as KubeObject;
    const object = wanted({ unschedulable: false });
    expect(applyIgnoreChanges(object, bare, "us", ["spec.unschedulable"])).toEqual(object);
  });

  test("does not change the given object", () => {
    const object = wanted({});
    applyIgnoreChanges(object, live("us"), "us", ["spec.unschedulable"]);
    expect(object).toEqual(wanted({}));
  });
});
