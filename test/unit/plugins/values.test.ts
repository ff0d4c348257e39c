import { diffProps, same } from "../../../lab/plugins/diff";
import { contains, formatPath, parsePath } from "../../../lab/plugins/paths";
import { Secret, unknown } from "../../../lab/plugins/values";
import { fromWire, toWire } from "../../../lab/plugins/wire";
import { fileAsset } from "../../pluginClient";

describe("paths", () => {
  test.each([
    ["a", ["a"]],
    ["a.b[0].c", ["a", "b", 0, "c"]],
    ['a["b.c"]', ["a", "b.c"]],
    ['metadata.annotations["x/y"]', ["metadata", "annotations", "x/y"]],
    ["triggers[*]", ["triggers", "*"]],
    ['a["say \\"hi\\""]', ["a", 'say "hi"']],
  ])("%s", (text, path) => {
    expect(parsePath(text)).toEqual(path);
  });

  test.each(["a[", 'a["b', "a]"])("%s is refused", (text) => {
    expect(() => parsePath(text)).toThrow("invalid property path");
  });

  test("are written so that they can be read", () => {
    const path = ["a", "b.c", 1, 'q"'];
    expect(parsePath(formatPath(path))).toEqual(path);
  });

  test("a pattern holds what is below it", () => {
    expect(contains(parsePath("triggers[*]"), parsePath("triggers[0].x"))).toBe(true);
    expect(contains(parsePath("a.b"), parsePath("a"))).toBe(false);
  });
});

describe("differences", () => {
  test("go down to where two values part", () => {
    const before = { same: 1, changed: { a: 1, "b.c": [1, 2] }, gone: true, nothing: null };
    const after = { same: 1, changed: { a: 2, "b.c": [1, 3, 4] }, fresh: "x" };
    expect(Object.entries(diffProps(before, after)).map(([path, { kind }]) => `${kind} ${path}`)).toEqual([
      "update changed.a",
      'update changed["b.c"][1]',
      'add changed["b.c"][2]',
      "delete gone",
      "add fresh",
    ]);
  });

  test("a secret differs as a whole, and not by secretness alone", () => {
    expect(diffProps({ s: new Secret({ a: 1 }) }, { s: new Secret({ a: 2 }) })).toEqual({
      s: { kind: "update", replace: false },
    });
    expect(diffProps({ s: new Secret("x") }, { s: "x" })).toEqual({});
  });

  test("an unknown differs from everything", () => {
    expect(Object.keys(diffProps({ a: { b: 1 } }, { a: { b: unknown } }))).toEqual(["a.b"]);
    expect(same({ a: unknown }, { a: unknown })).toBe(false);
  });

  test("an asset is its hash", () => {
    const diff = (path: string, hash: string) =>
      diffProps({ a: fromWire(fileAsset("one", "h")) }, { a: fromWire(fileAsset(path, hash)) });
    expect(diff("two", "h")).toEqual({});
    expect(Object.keys(diff("one", "other"))).toEqual(["a"]);
  });
});

describe("wire format", () => {
  test.each([
    ["a secret", new Secret({ a: ["x"] })],
    ["an unknown", { a: unknown }],
    ["plain values", { a: [1, true, null, "s", { b: {} }] }],
    ["an asset", fileAsset("path", "hash")],
  ])("%s survives the way there and back", (_title, value) => {
    expect(fromWire(toWire(value))).toEqual(value);
  });

  test("what the plugin has not asked for is refused", () => {
    const output = { "4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4", value: "x" };
    expect(() => fromWire(output)).toThrow("a kind of value that this plugin does not accept");
  });
});
