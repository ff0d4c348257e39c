import { diffProps, invert } from "../../../lab/plugins/diff";
import { contains, formatPath, parsePath } from "../../../lab/plugins/paths";
import { equal, maskable, Secret, secretStrings, unknown } from "../../../lab/plugins/values";
import { fromWire, toWire } from "../../../lab/plugins/wire";

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
    const keys = diffProps(before, after);
    expect(Object.entries(keys).map(([path, { kind }]) => `${kind} ${path}`)).toEqual([
      "update changed.a",
      'update changed["b.c"][1]',
      'add changed["b.c"][2]',
      "delete gone",
      "add fresh",
    ]);
    expect(Object.values(invert(keys)).map(({ kind }) => kind)).toEqual([
      "update",
      "update",
      "delete",
      "add",
      "delete",
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
    expect(equal(unknown, unknown)).toBe(false);
  });
});

describe("wire format", () => {
  test.each([
    ["a secret", new Secret({ a: ["x"] })],
    ["an unknown", { a: unknown }],
    ["plain values", { a: [1, true, null, "s", { b: {} }] }],
  ])("%s survives the way there and back", (_title, value) => {
    expect(fromWire(toWire(value))).toEqual(value);
  });

  test("output values keep secretness and unknownness", () => {
    const signature = { "4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4" };
    expect(fromWire({ ...signature, value: "x", secret: true })).toEqual(new Secret("x"));
    expect(fromWire(signature)).toBe(unknown);
  });

  test("archives are refused", () => {
    const archive = { "4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7", path: "folder" };
    expect(() => fromWire(archive)).toThrow("archives are not supported by the embedded engine");
  });
});

describe("masking", () => {
  test("takes secret strings, not the parts of a secret object", () => {
    const value = {
      a: new Secret("long-enough"),
      b: [new Secret("short")],
      c: new Secret({ "token-id": "public-id" }),
    };
    expect(secretStrings(value)).toEqual(["long-enough"]);
  });

  test("takes every line of a private key, and the quoted form of a text", () => {
    const line = "M".repeat(64);
    const key = `-----BEGIN PRIVATE KEY-----\n${line}\n-----END PRIVATE KEY-----\n`;
    expect(maskable(key)).toContain(line);
    expect(maskable(key)).not.toContain("-----BEGIN PRIVATE KEY-----");
    expect(maskable('a "quoted" word')).toContain('a \\"quoted\\" word');
  });
});
