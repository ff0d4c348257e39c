import { emptyGoal } from "../../../lab/engine/deployment/deployment";
import { FakeStack, thing } from "./harness";

describe("order of work", () => {
  test("a resource is created after what it depends on, and deleted before it", async () => {
    const stack = new FakeStack();
    const up = await stack.up(async (register) => {
      const a = await register("a", { ms: 20 });
      const b = await register("b", {}, { uses: { from: a } });
      await register("c", {}, { dependencies: [b.urn] });
    });
    expect(up.calls).toEqual(["create a", "create b", "create c"]);
    const destroy = await stack.destroy();
    expect(destroy.calls).toEqual(["delete c#3", "delete b#2", "delete a#1"]);
    expect(stack.state).toEqual([]);
  });

  test("independent resources are created side by side, up to the limit", async () => {
    const stack = new FakeStack();
    await stack.up(
      (register) => Promise.all(["a", "b", "c", "d", "e", "f"].map((name) => register(name, { ms: 200 }))),
      {
        parallel: 3,
      },
    );
    expect(stack.cloud.mostBusy).toBe(3);
  });

  test("parallel 1 does one thing at a time", async () => {
    const stack = new FakeStack();
    await stack.up((register) => Promise.all(["a", "b", "c"].map((name) => register(name, { ms: 5 }))), {
      parallel: 1,
    });
    expect(stack.cloud.mostBusy).toBe(1);
  });

  test("a component is deleted after its children", async () => {
    const stack = new FakeStack();
    await stack.up(async (register, deployment) => {
      const component = await deployment.register({ ...emptyGoal("my:index:Component", "comp"), custom: false });
      await register("child", {}, { parent: component.urn });
    });
    expect(stack.find("child")?.urn).toBe(`urn:pulumi:dev::proj::my:index:Component$${thing}::child`);
    const destroy = await stack.destroy();
    expect(destroy.steps).toEqual(["delete child", "delete comp"]);
  });

  test("what waits for a component waits for its children on deletion", async () => {
    const stack = new FakeStack();
    await stack.up(async (register, deployment) => {
      const component = await deployment.register({ ...emptyGoal("my:index:Component", "comp"), custom: false });
      await register("child", {}, { parent: component.urn });
      await register("after", {}, { dependencies: [component.urn] });
    });
    expect((await stack.destroy()).calls).toEqual(["delete after#2", "delete child#1"]);
  });

  test("a resource that left the program is deleted at the end", async () => {
    const stack = new FakeStack();
    await stack.up((register) => Promise.all([register("a"), register("b")]));
    const up = await stack.up((register) => Promise.all([register("b", { x: 1 }), register("c")]));
    expect(up.calls.slice(0, 2).sort()).toEqual(["create c", "update b"]);
    expect(up.calls[2]).toBe("delete a#1");
    expect(stack.names().sort()).toEqual(["b", "c"]);
  });

  test("children use the provider that a component hands down", async () => {
    const stack = new FakeStack();
    await stack.up(async (register, deployment) => {
      const provider = await deployment.register({ ...emptyGoal("pulumi:providers:test", "mine"), inputs: { x: 1 } });
      const reference = `${provider.urn}::${provider.id}`;
      const component = await deployment.register({
        ...emptyGoal("my:index:Component", "comp"),
        custom: false,
        providers: { test: reference },
      });
      const inner = await deployment.register({
        ...emptyGoal("my:index:Component", "inner"),
        custom: false,
        parent: component.urn,
      });
      await register("child", {}, { parent: inner.urn });
      await register("other");
    });
    expect(stack.find("child")?.provider).toMatch(/::mine::[0-9a-f-]{36}$/);
    expect(stack.find("other")?.provider).toMatch(/::default::[0-9a-f-]{36}$/);
  });

  test("two resources of one URN are refused", async () => {
    const stack = new FakeStack();
    const up = await stack.up((register) => Promise.all([register("a"), register("a")]));
    expect(up.ok).toBe(false);
    expect(up.errors).toEqual([
      `Duplicate resource URN 'urn:pulumi:dev::proj::${thing}::a'; try giving it a unique name`,
    ]);
  });

  test("a resource type that nothing here performs is refused by name", async () => {
    const stack = new FakeStack();
    const up = await stack.up((_register, deployment) => deployment.register(emptyGoal("aws:s3/bucket:Bucket", "b")));
    expect(up.ok).toBe(false);
    expect(up.errors).toEqual([
      "resource type 'aws:s3/bucket:Bucket' is unknown to the embedded engine; it performs test:index:Thing. " +
        "Use the real pulumi CLI for others.",
    ]);
    expect(stack.state).toEqual([]);
  });
});
