import { emptyGoal } from "../../../lab/engine/deployment/deployment";
import { unknown } from "../../../lab/plugins/values";
import { FakeStack, urnOf, type Register } from "./harness";

describe("replacement", () => {
  test("creates the new one first, updates what uses it, and deletes the old one at the end", async () => {
    const stack = new FakeStack();
    const program = (value: number) => async (register: Register) => {
      const a = await register("a", { replaceMe: value });
      await register("b", {}, { uses: { from: a } });
    };
    await stack.up(program(1));
    const up = await stack.up(program(2));
    expect(up.steps).toEqual(["create-replacement a", "replace a", "update b", "delete-replaced a"]);
    expect(up.calls).toEqual(["create a", "update b", "delete a#1"]);
    expect(stack.find("b")?.inputs.from).toBe("made-a#3");
  });

  test("deleteBeforeReplace deletes first", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { replaceMe: 1 }));
    const up = await stack.up((register) => register("a", { replaceMe: 2 }, { deleteBeforeReplace: true }));
    expect(up.steps).toEqual(["delete-replaced a", "replace a", "create-replacement a"]);
    expect(up.calls).toEqual(["delete a#1", "create a"]);
    expect(stack.names()).toEqual(["a"]);
  });

  test("the provider's wish for deleteBeforeReplace counts, unless the option says otherwise", async () => {
    const stack = new FakeStack();
    await stack.up((register) =>
      Promise.all([register("a", { replaceMe: 1, dbr: true }), register("b", { replaceMe: 1, dbr: true })]),
    );
    const up = await stack.up(async (register) => {
      await register("a", { replaceMe: 2, dbr: true });
      await register("b", { replaceMe: 2, dbr: true }, { deleteBeforeReplace: false });
    });
    expect(up.calls).toEqual(["delete a#1", "create a", "create b", "delete b#2"]);
  });

  test("deleteBeforeReplace takes along the dependents that a change would replace, and only those", async () => {
    const stack = new FakeStack();
    const program = (value: number) => async (register: Register) => {
      const a = await register("a", { replaceMe: value }, { deleteBeforeReplace: true });
      const replaced = await register("replaced", {}, { uses: { replaceWhen: a } });
      await register("updated", {}, { uses: { from: a } });
      await register("deep", {}, { uses: { replaceWhen: replaced } });
      await register("waits", {}, { dependencies: [a.urn] });
    };
    await stack.up(program(1));
    const up = await stack.up(program(2));
    expect(up.steps).toEqual([
      "delete-replaced deep",
      "delete-replaced replaced",
      "delete-replaced a",
      "replace a",
      "create-replacement a",
      "replace replaced",
      "create-replacement replaced",
      "update updated",
      "replace deep",
      "create-replacement deep",
    ]);
    expect(stack.names().sort()).toEqual(["a", "deep", "replaced", "updated", "waits"]);
  });

  test("a dependent that was deleted early and left the program stays deleted", async () => {
    const stack = new FakeStack();
    await stack.up(async (register) => {
      const a = await register("a", { replaceMe: 1 });
      await register("b", {}, { uses: { replaceWhen: a } });
    });
    const up = await stack.up((register) => register("a", { replaceMe: 2 }, { deleteBeforeReplace: true }));
    expect(up.calls).toEqual(["delete b#2", "delete a#1", "create a"]);
    expect(up.ok).toBe(true);
    expect(stack.names()).toEqual(["a"]);
  });

  test.each([
    ["replaceOnChanges makes an update a replacement", ["plain"]],
    ["replaceOnChanges takes patterns", ["*"]],
  ])("%s", async (_title, replaceOnChanges) => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { plain: 1 }, { replaceOnChanges }));
    const up = await stack.up((register) => register("a", { plain: 2 }, { replaceOnChanges }));
    expect(up.calls).toEqual(["create a", "delete a#1"]);
  });

  test("triggers of a command replace by the pattern that the SDK sends", async () => {
    const stack = new FakeStack();
    const options = { replaceOnChanges: ["triggers[*]"] };
    await stack.up((register) => register("a", { triggers: ["x"], other: 1 }, options));
    expect((await stack.up((register) => register("a", { triggers: ["x"], other: 2 }, options))).calls).toEqual([
      "update a",
    ]);
    const up = await stack.up((register) => register("a", { triggers: ["y"], other: 2 }, options));
    expect(up.calls).toEqual(["create a", "delete a#1"]);
    expect(up.all.find(({ op }) => op === "replace")?.diff).toEqual({
      "triggers[0]": { kind: "update", replace: true },
    });
  });

  test("replacementTrigger replaces when it changes, but not when it is first set or taken away", async () => {
    const stack = new FakeStack();
    const run = (replacementTrigger?: string) => stack.up((register) => register("a", {}, { replacementTrigger }));
    await run();
    expect((await run("one")).calls).toEqual([]);
    expect((await run("one")).calls).toEqual([]);
    expect((await run("two")).calls).toEqual(["create a", "delete a#1"]);
    expect((await run()).calls).toEqual([]);
  });

  test("an unknown replacementTrigger replaces in a preview", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", {}, { replacementTrigger: "one" }));
    const preview = await stack.preview((register) => register("a", {}, { replacementTrigger: unknown }));
    expect(preview.steps).toContain("replace a");
  });

  test("what is deletedWith a replaced resource is replaced with it", async () => {
    const stack = new FakeStack();
    const program = (value: number) => async (register: Register) => {
      const vm = await register("vm", { replaceMe: value }, { deleteBeforeReplace: true });
      await register("soft", {}, { deletedWith: vm.urn, dependencies: [vm.urn] });
    };
    await stack.up(program(1));
    const up = await stack.up(program(2));
    // Its own delete is not called: it went with the vm.
    expect(up.calls).toEqual(["delete vm#1", "create vm", "create soft"]);
  });

  test("replaceWith follows the replacement of another resource", async () => {
    const stack = new FakeStack();
    const program = (value: number) => async (register: Register) => {
      const a = await register("a", { replaceMe: value });
      await register("b", {}, { replaceWith: [a.urn], dependencies: [a.urn] });
    };
    await stack.up(program(1));
    expect((await stack.up(program(2))).steps).toEqual([
      "create-replacement a",
      "replace a",
      "create-replacement b",
      "replace b",
      "delete-replaced b",
      "delete-replaced a",
    ]);
  });

  test("another provider configuration replaces what it made", async () => {
    const stack = new FakeStack();
    const program =
      (address: string) => async (register: Register, deployment: Parameters<Parameters<FakeStack["up"]>[0]>[1]) => {
        const provider = await deployment.register({ ...emptyGoal("pulumi:providers:test", "p"), inputs: { address } });
        await register("a", {}, { provider: `${provider.urn}::${provider.id}` });
      };
    await stack.up(program("one"));
    const up = await stack.up(program("two"));
    expect(up.calls).toEqual(["create a", "delete a#1"]);
  });

  test("replace targets may be patterns: * stops at a colon, ** does not", async () => {
    const stack = new FakeStack();
    const program = (register: Register) => Promise.all([register("a-clock"), register("b-clock"), register("clock")]);
    await stack.up(program);
    expect((await stack.up(program, { replace: ["**::*-clock"] })).calls).toEqual([
      "create a-clock",
      "create b-clock",
      "delete a-clock#1",
      "delete b-clock#2",
    ]);
    expect((await stack.up(program, { replace: ["*::clock", "**clock.", "clock"] })).calls).toEqual([]);
  });

  test("replace targets are replaced whatever their diff says", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a"));
    expect((await stack.up((register) => register("a"), { replace: [urnOf("a")] })).calls).toEqual([
      "create a",
      "delete a#1",
    ]);
  });

  test("a replaced resource whose deletion failed is deleted by the next operation", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { replaceMe: 1, fail: "delete" }));
    const first = await stack.up((register) => register("a", { replaceMe: 2 }));
    expect(first.ok).toBe(false);
    expect(stack.state.filter(({ urn }) => urn === urnOf("a")).map((state) => state.delete ?? false)).toEqual([
      false,
      true,
    ]);
    const old = stack.state.find((state) => state.delete);
    if (old) old.inputs = {};
    const second = await stack.up((register) => register("a", { replaceMe: 2 }));
    expect(second.calls).toEqual(["delete a#1"]);
    expect(stack.names()).toEqual(["a"]);
  });

  test("a create that fails after its delete is made up for by the next operation, without another delete", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { replaceMe: 1 }));
    const first = await stack.up((register) =>
      register("a", { replaceMe: 2, fail: "create" }, { deleteBeforeReplace: true }),
    );
    expect(first.ok).toBe(false);
    expect(stack.find("a")?.pendingReplacement).toBe(true);
    const second = await stack.up((register) => register("a", { replaceMe: 2 }, { deleteBeforeReplace: true }));
    expect(second.calls).toEqual(["create a"]);
    expect(stack.find("a")?.pendingReplacement).toBeUndefined();
  });
});
