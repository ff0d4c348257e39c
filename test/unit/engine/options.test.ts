import { emptyGoal } from "../../../lab/engine/deployment/deployment";
import { Secret } from "../../../lab/plugins/values";
import { FakeStack, thing, urnOf, type Register } from "./harness";

describe("ignoreChanges", () => {
  const cases: [title: string, ignoreChanges: string[], before: object, after: object, expected: object][] = [
    ["a property", ["x"], { x: 1, y: 1 }, { x: 2, y: 1 }, { x: 1, y: 1 }],
    ["an added property", ["x"], { y: 1 }, { x: 2, y: 1 }, { y: 1 }],
    ["a removed property", ["x"], { x: 1, y: 1 }, { y: 1 }, { x: 1, y: 1 }],
    ["a nested path", ["a.b"], { a: { b: 1, c: 1 } }, { a: { b: 2, c: 1 } }, { a: { b: 1, c: 1 } }],
    ["a quoted key", ['a["b.c"]'], { a: { "b.c": 1 } }, { a: { "b.c": 2 } }, { a: { "b.c": 1 } }],
    ["a list element", ["l[1]"], { l: [1, 2] }, { l: [1, 3] }, { l: [1, 2] }],
    [
      "every element",
      ["l[*].x"],
      { l: [{ x: 1 }, { x: 2 }] },
      { l: [{ x: 3 }, { x: 4 }] },
      { l: [{ x: 1 }, { x: 2 }] },
    ],
  ];

  test.each(cases)("keeps %s as it was", async (_title, ignoreChanges, before, after, expected) => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { ...before }, { ignoreChanges }));
    const up = await stack.up((register) => register("a", { ...after }, { ignoreChanges }));
    expect(up.calls).toEqual([]);
    expect(stack.find("a")?.inputs).toEqual(expected);
  });

  test("other properties still change", async () => {
    const stack = new FakeStack();
    const options = { ignoreChanges: ["x"] };
    await stack.up((register) => register("a", { x: 1, y: 1 }, options));
    await stack.up((register) => register("a", { x: 2, y: 2 }, options));
    expect([...stack.cloud.things.values()]).toEqual([{ x: 1, y: 2 }]);
  });

  test("a secret is kept as a whole", async () => {
    const stack = new FakeStack();
    const options = { ignoreChanges: ["stdin"] };
    await stack.up((register) => register("a", { stdin: new Secret("old") }, options));
    expect((await stack.up((register) => register("a", { stdin: new Secret("new") }, options))).calls).toEqual([]);
    expect(stack.find("a")?.inputs.stdin).toEqual(new Secret("old"));
  });

  test("a replacement takes the new value", async () => {
    const stack = new FakeStack();
    const options = { ignoreChanges: ["stdin"] };
    await stack.up((register) => register("a", { stdin: "old", replaceMe: 1 }, options));
    await stack.up((register) => register("a", { stdin: "new", replaceMe: 2 }, options));
    expect([...stack.cloud.things.values()]).toEqual([{ stdin: "new", replaceMe: 2 }]);
  });

  test("a path that leads nowhere is told", async () => {
    const stack = new FakeStack();
    const options = { ignoreChanges: ["a.b.c"] };
    await stack.up((register) => register("a", { a: { b: 1 } }, options));
    const up = await stack.up((register) => register("a", { a: { b: { c: 1 } } }, options));
    expect(up.warnings).toEqual(['cannot ignore changes in added or removed elements of the path: "a.b.c"']);
  });
});

describe("what deletion spares", () => {
  test("retainOnDelete leaves the state without touching the resource", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", {}, { retainOnDelete: true }));
    const destroy = await stack.destroy();
    expect(destroy.calls).toEqual([]);
    expect(destroy.steps).toEqual(["delete a"]);
    expect(stack.state).toEqual([]);
    expect(stack.cloud.things.size).toBe(1);
  });

  test("retainOnDelete also spares what a replacement leaves behind, if set by an earlier operation", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { replaceMe: 1 }, { retainOnDelete: true }));
    expect((await stack.up((register) => register("a", { replaceMe: 2 }))).calls).toEqual(["create a"]);
    expect(stack.cloud.things.size).toBe(2);
  });

  test("deletedWith skips the delete when the other goes too", async () => {
    const stack = new FakeStack();
    const program = async (register: Register) => {
      const vm = await register("vm");
      await register("soft", {}, { deletedWith: vm.urn });
    };
    await stack.up(program);
    const destroy = await stack.destroy();
    expect(destroy.steps).toEqual(["delete soft", "delete vm"]);
    expect(destroy.calls).toEqual(["delete vm#1"]);
  });

  test("deletedWith deletes as usual when the other stays", async () => {
    const stack = new FakeStack();
    await stack.up(async (register) => {
      const vm = await register("vm");
      await register("soft", {}, { deletedWith: vm.urn });
    });
    expect((await stack.up((register) => register("vm"))).calls).toEqual(["delete soft#2"]);
  });

  test("a protected resource is neither deleted nor replaced", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { replaceMe: 1 }, { protect: true }));
    const replace = await stack.up((register) => register("a", { replaceMe: 2 }, { protect: true }));
    expect(replace.errors[0]).toContain(`unable to replace resource "${urnOf("a")}"`);
    const destroy = await stack.destroy();
    expect(destroy.errors[0]).toContain("because it is protected");
    expect(stack.names()).toEqual(["a"]);
    expect(stack.cloud.things.size).toBe(1);
  });

  test("unprotecting and replacing go together", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { replaceMe: 1 }, { protect: true }));
    expect((await stack.up((register) => register("a", { replaceMe: 2 }))).calls).toEqual(["create a", "delete a#1"]);
  });
});

describe("secret outputs", () => {
  test("additionalSecretOutputs and secret inputs make outputs secret", async () => {
    const stack = new FakeStack();
    const up = await stack.up((register) =>
      register("a", { password: new Secret("p"), open: "o" }, { additionalSecretOutputs: ["made"] }),
    );
    expect(up.ok).toBe(true);
    expect(stack.find("a")?.outputs).toEqual({
      password: new Secret("p"),
      open: "o",
      made: new Secret("made-a#1"),
    });
  });

  test("secretness alone changes no resource, but the state", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { x: "v" }));
    expect((await stack.up((register) => register("a", { x: new Secret("v") }))).calls).toEqual([]);
    expect(stack.find("a")?.inputs.x).toEqual(new Secret("v"));
  });
});

describe("aliases", () => {
  test("a renamed resource is found under its old name", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("old", { x: 1 }));
    const up = await stack.up((register) => register("new", { x: 1 }, { aliases: [{ name: "old" }] }));
    expect(up.calls).toEqual([]);
    expect(stack.names()).toEqual(["new"]);
  });

  test("children follow an alias of their parent", async () => {
    const stack = new FakeStack();
    const program =
      (name: string, aliases: { name: string }[]) =>
      async (register: Register, deployment: Parameters<Parameters<FakeStack["up"]>[0]>[1]) => {
        const component = await deployment.register({ ...emptyGoal("my:index:C", name), custom: false, aliases });
        await register(`${name}-child`, {}, { parent: component.urn });
      };
    await stack.up(program("one", []));
    const up = await stack.up(program("two", [{ name: "one" }]));
    expect(up.calls).toEqual([]);
    expect(stack.names()).toEqual(["two-child"]);
  });

  test("a resource moved under a parent is found by noParent", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a"));
    const up = await stack.up(async (register, deployment) => {
      const component = await deployment.register({ ...emptyGoal("my:index:C", "c"), custom: false });
      await register("a", {}, { parent: component.urn, aliases: [{ noParent: true }] });
    });
    expect(up.calls).toEqual([]);
    expect(stack.find("a")?.urn).toBe(`urn:pulumi:dev::proj::my:index:C$${thing}::a`);
  });
});

describe("targets", () => {
  test("others stay as they are, new ones are not created", async () => {
    const stack = new FakeStack();
    await stack.up((register) => Promise.all([register("a", { x: 1 }), register("b", { x: 1 })]));
    const up = await stack.up(
      (register) => Promise.all([register("a", { x: 2 }), register("b", { x: 2 }), register("c")]),
      {
        targets: [urnOf("a")],
      },
    );
    expect(up.calls).toEqual(["update a"]);
    expect(stack.find("b")?.inputs).toEqual({ x: 1 });
    expect(stack.names().sort()).toEqual(["a", "b"]);
  });
});
