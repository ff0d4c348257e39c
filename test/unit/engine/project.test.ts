import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyProjectConfig, readProject, type Project } from "../../../lab/engine/project";
import type { Config } from "../../../lab/engine/stackConfig";

function project(config: object): Project {
  return { name: "proj", entry: "/p", config: config as Project["config"] };
}

function stack(values: Record<string, unknown>, secrets: string[] = []): Config {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, secrets }]));
}

describe("project config", () => {
  test("defaults fill in what the stack does not set", () => {
    const config = applyProjectConfig(
      project({ a: { type: "string", default: "x" }, b: { type: "integer", default: 3 }, "other:c": { value: "y" } }),
      "dev",
      stack({ "proj:a": "mine" }),
    );
    expect(Object.entries(config).map(([key, { value }]) => [key, value])).toEqual([
      ["proj:a", "mine"],
      ["proj:b", 3],
      ["other:c", "y"],
    ]);
  });

  test.each([
    [["a"], "Stack 'dev' is missing configuration value 'a'"],
    [["b", "a"], "Stack 'dev' is missing configuration values 'a' and 'b'"],
    [["c", "b", "a"], "Stack 'dev' is missing configuration values 'a', 'b' and 'c'"],
  ])("missing values %j", (names, message) => {
    const types = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
    expect(() => applyProjectConfig(project(types), "dev", {})).toThrow(message);
  });

  const object = { type: "object" };
  const list = { type: "array", items: { type: "integer" } };
  test.each([
    ["string", { type: "string" }, {}, "string"],
    ["integer", { type: "integer" }, "1.5", "integer"],
    ["integer", { type: "integer" }, "x", "integer"],
    ["boolean", { type: "boolean" }, "yes", "boolean"],
    ["object", object, "x", "object"],
    ["object", object, [1], "object"],
    ["array", list, ["x"], "array<integer>"],
    ["array", list, {}, "array<integer>"],
    ["nested array", { type: "array", items: list }, [["x"]], "array<array<integer>>"],
  ])("%s refuses another type", (_title, type, value, name) => {
    expect(() => applyProjectConfig(project({ k: type }), "dev", stack({ "proj:k": value }))).toThrow(
      `Stack 'dev' with configuration key 'k' must be of type '${name}'`,
    );
  });

  test.each([
    [{ type: "string" }, 50],
    [{ type: "integer" }, "12"],
    [{ type: "integer" }, 12],
    [{ type: "boolean" }, true],
    [{ type: "boolean" }, "false"],
    [object, { x: 1 }],
    [list, [1, 2]],
  ])("%j accepts %j", (type, value) => {
    expect(() => applyProjectConfig(project({ k: type }), "dev", stack({ "proj:k": value }))).not.toThrow();
  });

  test("a secret key must be encrypted", () => {
    const types = { k: { type: "string", secret: true } };
    expect(() => applyProjectConfig(project(types), "dev", stack({ "proj:k": "open" }))).toThrow(
      "Stack 'dev' with configuration key 'k' must be encrypted as it's secret",
    );
    expect(() => applyProjectConfig(project(types), "dev", stack({ "proj:k": "x" }, ["x"]))).not.toThrow();
  });

  describe("Pulumi.yaml", () => {
    let folder: string;
    beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "engine-project-"))));
    afterEach(() => rmSync(folder, { recursive: true }));

    test("bare values are defaults, under another namespace values", () => {
      writeFileSync(join(folder, "Pulumi.yaml"), "name: proj\nruntime: nodejs\nconfig:\n  a: 1\n  aws:region: eu\n");
      expect(readProject(folder)).toEqual({
        name: "proj",
        entry: folder,
        config: { a: { default: 1 }, "aws:region": { value: "eu" } },
      });
    });

    test.each([
      [undefined, /^no Pulumi.yaml in /],
      ["runtime: nodejs", /project is missing a 'name' attribute/],
      ["name: [", /^cannot read /],
    ])("%j is refused", (text, message) => {
      if (text !== undefined) writeFileSync(join(folder, "Pulumi.yaml"), text);
      expect(() => readProject(folder)).toThrow(message);
    });
  });
});
