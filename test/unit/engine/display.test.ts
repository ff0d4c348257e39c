import { makeStep, type Step } from "../../../lab/engine/deployment/step";
import type { ResourceState } from "../../../lab/engine/deployment/resource";
import { diffLines } from "../../../lab/engine/display/lines";
import { PropertyPrinter } from "../../../lab/engine/display/properties";
import { Reporter, shortType } from "../../../lab/engine/display/reporter";
import { makeStyle } from "../../../lab/engine/display/style";
import type { Operation } from "../../../lab/engine/types";
import { Secret, unknown, type Props } from "../../../lab/plugins/values";

const style = makeStyle(false);

describe("line differences", () => {
  test("show the changed lines with a little context", () => {
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const after = [...lines.slice(0, 10), "changed", ...lines.slice(11)];
    expect(diffLines(lines.join("\n"), after.join("\n")).map(({ kind, text }) => `${kind} ${text}`)).toEqual([
      "gap ...",
      "same line 8",
      "same line 9",
      "delete line 10",
      "add changed",
      "same line 11",
      "same line 12",
      "gap ...",
    ]);
  });

  test("find moved text", () => {
    const kinds = diffLines("a\nb\nc\nd", "a\nc\nd\nb").map(({ kind, text }) => `${kind} ${text}`);
    expect(kinds).toEqual(["same a", "delete b", "same c", "same d", "add b"]);
  });
});

describe("properties", () => {
  test("of a new resource, with secrets and unknowns", () => {
    const props = {
      name: "x",
      empty: [],
      list: [1],
      nested: { a: true },
      key: new Secret("s"),
      later: unknown,
      __own: 1,
    };
    expect(new PropertyPrinter(style).object(props, 1, "create").text).toEqual([
      "    empty : []",
      "    key   : [secret]",
      "    later : [unknown]",
      "    list  : [",
      "        [0]: 1",
      "    ]",
      '    name  : "x"',
      "    nested: {",
      "        a: true",
      "    }",
    ]);
  });

  test("that differ, and only those", () => {
    const before = { a: 1, b: { c: "x", d: 1 }, l: [1, 2], gone: "g", s: new Secret("1") };
    const after = { a: 1, b: { c: "y", d: 1 }, l: [1, 3], fresh: "f", s: new Secret("2") };
    expect(new PropertyPrinter(style).difference(before, after, 1).text).toEqual([
      "  ~ b    : {",
      '      ~ c: "x" => "y"',
      "    }",
      '  + fresh: "f"',
      '  - gone : "g"',
      "  ~ l    : [",
      "      ~ [1]: 2 => 3",
      "    ]",
      "  ~ s    : [secret] => [secret]",
    ]);
  });

  test("of several lines as line differences", () => {
    const text = (value: string): Props => ({ file: `a: 1\nb: ${value}\nc: 3\n` });
    expect(new PropertyPrinter(style).difference(text("2"), text("9"), 1).text).toEqual([
      "  ~ file:",
      "        a: 1",
      "      - b: 2",
      "      + b: 9",
      "        c: 3",
    ]);
  });
});

function state(name: string, parent?: string, inputs: Props = {}): ResourceState {
  const urn =
    name === "stack"
      ? "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
      : `urn:pulumi:dev::p::t:index/thing:Thing::${name}`;
  const type = name === "stack" ? "pulumi:pulumi:Stack" : "t:index/thing:Thing";
  const lists = {
    dependencies: [],
    replaceWith: [],
    ignoreChanges: [],
    replaceOnChanges: [],
    additionalSecretOutputs: [],
  };
  const rest = { propertyDependencies: {}, customTimeouts: {}, protect: false, retainOnDelete: false, outputs: {} };
  return { urn, type, custom: name !== "stack", id: name, inputs, parent, ...lists, ...rest };
}

function report(operation: Operation, diff: boolean, steps: Step[], color = false) {
  const lines: string[] = [];
  const reporter = new Reporter({ operation, stack: "dev", diff, color, print: (line) => lines.push(line) });
  reporter.hide(["hunter22"]);
  for (const step of steps) {
    reporter.starting(step);
    reporter.finished(step);
  }
  return { reporter, lines };
}

describe("reports", () => {
  const root = state("stack");
  const steps = [
    makeStep({ op: "same", old: root, new: root }),
    makeStep({ op: "create", new: state("a", root.urn, { password: "hunter22" }) }),
    makeStep({ op: "same", old: state("quiet", root.urn), new: state("quiet", root.urn) }),
    makeStep({
      op: "update",
      old: state("b", root.urn, { x: 1 }),
      new: state("b", root.urn, { x: 2 }),
      diff: { x: { kind: "update", replace: false } },
    }),
    makeStep({ op: "replace", old: state("c", root.urn), new: state("c", root.urn) }),
  ];

  test("a preview shows what changes as a tree", () => {
    const { reporter, lines } = report("preview", false, steps);
    const result = reporter.finish(true, {});
    expect(lines).toEqual([
      "Previewing update (dev):",
      "     Type                 Name   Plan     Info",
      "     pulumi:pulumi:Stack  p-dev",
      " +   ├─ t:index:Thing     a      create",
      " ~   ├─ t:index:Thing     b      update   [diff: ~x]",
      " +-  └─ t:index:Thing     c      replace",
      "",
      "Resources:",
      "    + 1 to create",
      "    ~ 1 to update",
      "    +-1 to replace",
      "    3 changes. 2 unchanged",
    ]);
    expect(result.changes).toEqual({ same: 2, create: 1, update: 1, replace: 1 });
    expect(result.steps.find(({ name }) => name === "b")?.diff).toEqual(["x"]);
  });

  test("with --diff, every property is shown, and known secrets never are", () => {
    const { lines } = report("preview", true, steps.slice(0, 4));
    expect(lines).toEqual([
      "Previewing update (dev):",
      "  pulumi:pulumi:Stack: (same)",
      "    [id=stack]",
      "    [urn=urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev]",
      "    + t:index/thing:Thing: (create)",
      "        [urn=urn:pulumi:dev::p::t:index/thing:Thing::a]",
      '        password: "[secret]"',
      "    ~ t:index/thing:Thing: (update)",
      "        [id=b]",
      "        [urn=urn:pulumi:dev::p::t:index/thing:Thing::b]",
      "      ~ x: 1 => 2",
    ]);
  });

  test("colours only when asked to", () => {
    const escape = "\u001b[";
    expect(report("preview", true, steps).lines.join()).not.toContain(escape);
    expect(report("preview", true, steps, true).lines.join()).toContain(
      `${escape}32m    + t:index/thing:Thing: (create)`,
    );
  });

  test("messages are masked and grouped by resource", () => {
    const { reporter, lines } = report("up", false, []);
    reporter.diagnostic("error", "urn:pulumi:dev::p::t:index/thing:Thing::a", "login hunter22 failed\nsecond line\n");
    const { diagnostics } = reporter.finish(false, undefined);
    expect(diagnostics[0]?.message).toBe("login [secret] failed\nsecond line");
    expect(lines).toEqual(
      expect.arrayContaining(["  t:index:Thing (a):", "    error: login [secret] failed", "    second line"]),
    );
  });

  test.each([
    ["random:index/randomString:RandomString", "random:index:RandomString"],
    ["kubernetes:core/v1:Secret", "kubernetes:core/v1:Secret"],
    ["pulumi:providers:kubernetes", "pulumi:providers:kubernetes"],
  ])("%s is shown as %s", (type, short) => {
    expect(shortType(type)).toBe(short);
  });
});
