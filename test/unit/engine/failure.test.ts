import { InitializationError } from "../../../lab/plugins/provider";
import { FakeStack, urnOf } from "./harness";

describe("failure", () => {
  test("a failed create leaves nothing in the state", async () => {
    const stack = new FakeStack();
    const up = await stack.up((register) => register("a", { fail: "create" }));
    expect(up.ok).toBe(false);
    expect(up.errors).toEqual(["create of a failed"]);
    expect(stack.names()).toEqual([]);
  });

  test("a failed update keeps the old state, and the next preview shows the same change", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { x: 1 }));
    const up = await stack.up((register) => register("a", { x: 2, fail: "update" }));
    expect(up.ok).toBe(false);
    expect(stack.find("a")?.inputs).toEqual({ x: 1 });
    expect((await stack.preview((register) => register("a", { x: 2 }))).steps).toEqual(["update a"]);
  });

  test("a resource that exists but did not become ready is kept, and taken up again", async () => {
    const stack = new FakeStack();
    const create = stack.cloud.create.bind(stack.cloud);
    stack.cloud.create = async (request) => {
      throw new InitializationError("not ready", await create(request), ["0 of 1 pods are ready"]);
    };
    const first = await stack.up((register) => register("a"));
    expect(first.errors).toEqual(["not ready"]);
    expect(stack.find("a")).toMatchObject({ id: "a#1", initErrors: ["0 of 1 pods are ready"] });
    stack.cloud.create = create;
    expect((await stack.up((register) => register("a"))).calls).toEqual(["update a"]);
    expect(stack.find("a")?.initErrors).toBeUndefined();
  });

  test("after an error nothing new is begun, what runs is waited for, and nothing is deleted", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("leaving"));
    const up = await stack.up(
      async (register) => {
        const slow = register("slow", { ms: 60 });
        const bad = register("bad", { ms: 10, fail: "create" });
        await Promise.allSettled([bad]);
        await Promise.allSettled([register("later"), slow]);
      },
      { parallel: 2 },
    );
    expect(up.ok).toBe(false);
    expect(up.calls).toEqual(["create slow"]);
    expect(stack.names().sort()).toEqual(["leaving", "slow"]);
  });

  test("errors of resources under way side by side are all told", async () => {
    const stack = new FakeStack();
    const up = await stack.up((register) =>
      Promise.allSettled([register("a", { ms: 300, fail: "create" }), register("b", { ms: 300, fail: "create" })]),
    );
    expect(up.errors.sort()).toEqual(["create of a failed", "create of b failed"]);
  });

  test("a program that throws deletes nothing", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a"));
    const up = await stack.up(() => Promise.reject(new Error("the program is wrong")));
    expect(up.errors).toEqual(["the program is wrong"]);
    expect(up.calls).toEqual([]);
    expect(stack.names()).toEqual(["a"]);
  });

  test("inputs that the provider's check refuses name the property", async () => {
    const stack = new FakeStack();
    const up = await stack.up((register) => register("a", { bad: true }));
    expect(up.errors).toEqual(["test:index:Thing resource 'a': property bad value has a problem: it is bad"]);
    expect(up.calls).toEqual([]);
  });

  test("a failed delete ends a destroy, keeps its state and what it depends on", async () => {
    const stack = new FakeStack();
    await stack.up(async (register) => {
      const a = await register("a");
      await register("b", { fail: "delete" }, { uses: { from: a } });
    });
    const destroy = await stack.destroy();
    expect(destroy.ok).toBe(false);
    expect(stack.names()).toEqual(["a", "b"]);
  });

  test("an interrupted operation finishes what it began", async () => {
    const stack = new FakeStack();
    const up = await stack.up(async (register, deployment) => {
      const slow = register("slow", { ms: 40 });
      await stack.cloud.until(1);
      deployment.interrupt();
      await slow;
      await register("never");
    });
    expect(up.ok).toBe(false);
    expect(up.calls).toEqual(["create slow"]);
    expect(stack.names()).toEqual(["slow"]);
  });

  test("the state is saved after every step", async () => {
    const stack = new FakeStack();
    const up = await stack.up((register) => Promise.all([register("a"), register("b"), register("c")]));
    // The default provider is a fourth one.
    expect(up.saves).toBe(4);
  });
});

describe("preview", () => {
  test("changes nothing, in the cloud and in the state", async () => {
    const stack = new FakeStack();
    await stack.up((register) =>
      Promise.all([register("a", { replaceMe: 1 }), register("b", { x: 1 }), register("gone")]),
    );
    const before = JSON.stringify(stack.state);
    const preview = await stack.preview((register) =>
      Promise.all([
        register("a", { replaceMe: 2 }, { deleteBeforeReplace: true }),
        register("b", { x: 2 }),
        register("new"),
      ]),
    );
    expect(preview.steps.sort()).toEqual([
      "create new",
      "create-replacement a",
      "delete gone",
      "delete-replaced a",
      "replace a",
      "update b",
    ]);
    expect(preview.calls).toEqual([]);
    expect(preview.saves).toBe(0);
    expect(JSON.stringify(stack.state)).toBe(before);
  });

  test("outputs of what is to be created are unknown, and so is what depends on them", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("b", { from: "x" }));
    const preview = await stack.preview(async (register) => {
      const a = await register("a");
      await register("b", {}, { uses: { from: a } });
    });
    expect(preview.steps).toEqual(["create a", "update b"]);
    expect(preview.all.find(({ urn }) => urn === urnOf("b"))?.diff).toEqual({
      from: { kind: "update", replace: false },
    });
  });
});

describe("refresh", () => {
  test("takes over what changed and forgets what is gone", async () => {
    const stack = new FakeStack();
    await stack.up((register) => Promise.all([register("a", { x: 1 }), register("b"), register("same")]));
    const [a, b] = ["a", "b"].map((name) => stack.find(name)?.id ?? "");
    stack.cloud.things.set(a ?? "", { x: 5 });
    stack.cloud.things.delete(b ?? "");
    const refresh = await stack.refresh();
    expect(refresh.all.find(({ urn }) => urn === urnOf("a"))?.diff).toEqual({ x: { kind: "update", replace: false } });
    expect(stack.find("a")?.inputs).toEqual({ x: 5 });
    expect(stack.names().sort()).toEqual(["a", "same"]);
    const up = await stack.up((register) => Promise.all([register("a", { x: 1 }), register("b"), register("same")]));
    expect(up.calls.sort()).toEqual(["create b", "update a"]);
  });
});
