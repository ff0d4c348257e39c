import { withIgnored } from "../../../lab/plugins/kubernetes/fieldManagers";
import type { KubeObject } from "../../../lab/plugins/kubernetes/object";

const live = (manager: string): KubeObject =>
  ({
    metadata: {
      name: "n",
      managedFields: [{ manager, operation: "Apply", fieldsV1: { "f:spec": { "f:unschedulable": {} } } }],
    },
    spec: { unschedulable: true },
  }) as unknown as KubeObject;

const wanted = (spec: object): KubeObject => ({ metadata: { name: "n" }, spec });

describe("a field in ignoreChanges, when an object is applied", () => {
  it("stays as it is where it is ours: left out, the server would take it away", () =>
    expect(withIgnored(wanted({}), live("us"), "us", ["spec.unschedulable"])).toEqual(wanted({ unschedulable: true })));

  it("is left to whom it belongs to", () =>
    expect(withIgnored(wanted({ unschedulable: false }), live("them"), "us", ["spec.unschedulable"])).toEqual(
      wanted({}),
    ));

  it("is applied as it is wanted where the object has none", () => {
    const bare = { metadata: { name: "n" }, spec: {} } as unknown as KubeObject;
    const object = wanted({ unschedulable: false });
    expect(withIgnored(object, bare, "us", ["spec.unschedulable"])).toEqual(object);
  });

  it("does not touch the object that was given", () => {
    const object = wanted({});
    withIgnored(object, live("us"), "us", ["spec.unschedulable"]);
    expect(object).toEqual(wanted({}));
  });
});
