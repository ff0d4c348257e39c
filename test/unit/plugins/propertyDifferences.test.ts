import { toPath } from "lodash";
import { patternCovers, differences, formatPath, isSame, type Path } from "../../../lab/plugins/diff";
import type { Value } from "../../../lab/plugins/propertyValues";
import { fileAsset, secret, UNKNOWN } from "../../protocolValues";

describe("paths", () => {
  test.each<[Path, string]>([
    [["a"], "a"],
    [["a", "b", 0, "c"], "a.b[0].c"],
    [["metadata", "annotations", "x.y/z"], 'metadata.annotations["x.y/z"]'],
    [["a", 'say "hi"'], 'a["say \\"hi\\""]'],
  ])("%j is formatted so that it can be parsed", (path, text) => {
    expect(formatPath(path)).toBe(text);
    expect(toPath(text)).toEqual(path.map(String));
  });

  test("a pattern covers everything below it", () => {
    expect(patternCovers("triggers[*]", ["triggers", 0, "x"])).toBe(true);
    expect(patternCovers("a.b[0]", ["a", "b", 0])).toBe(true);
    expect(patternCovers("a.b", ["a"])).toBe(false);
  });
});

describe("differences", () => {
  const kindsAndPaths = (before: Value, after: Value): string[] =>
    differences(before, after).map(({ path, kind }) => `${kind} ${formatPath(path)}`);

  test("are reported at the deepest level", () => {
    const before = { same: 1, changed: { a: 1, "b.c": [1, 2] }, gone: true, nothing: null };
    const after = { same: 1, changed: { a: 2, "b.c": [1, 3, 4] }, fresh: "x" };
    expect(kindsAndPaths(before, after)).toEqual([
      "update changed.a",
      'update changed["b.c"][1]',
      'add changed["b.c"][2]',
      "delete gone",
      "add fresh",
    ]);
  });

  test("a secret is compared as a whole, and secretness alone is no difference", () => {
    expect(kindsAndPaths({ s: secret({ a: 1 }) }, { s: secret({ a: 2 }) })).toEqual(["update s"]);
    expect(kindsAndPaths({ s: secret("x") }, { s: "x" })).toEqual([]);
  });

  test("an unknown value differs from everything", () => {
    expect(kindsAndPaths({ a: { b: 1 } }, { a: { b: UNKNOWN } })).toEqual(["update a.b"]);
    expect(isSame({ a: UNKNOWN }, { a: UNKNOWN })).toBe(false);
  });

  test("an asset is compared by its hash", () => {
    const before = { a: fileAsset("one", "h") };
    expect(kindsAndPaths(before, { a: fileAsset("two", "h") })).toEqual([]);
    expect(kindsAndPaths(before, { a: fileAsset("one", "other") })).toEqual(["update a"]);
  });
});
