import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  operate,
  secret,
  stackOutputs,
  writeStackConfig,
  type OperationOptions,
  type StackRef,
} from "../../../lab/engine";

/** The whole way: a program with the official SDK, in a child process, with state and config on disk. */
describe("a program on the embedded engine", () => {
  const folder = mkdtempSync(join(tmpdir(), "engine-program-"));
  const passphraseFile = join(folder, "passphrase");
  const canary = "canary-password-123";
  writeFileSync(passphraseFile, "correct horse\n", { mode: 0o600 });
  afterAll(() => rmSync(folder, { recursive: true }));
  jest.setTimeout(60_000);

  async function stack(name: string, config: Record<string, unknown> = {}): Promise<StackRef> {
    const ref = {
      program: join(__dirname, "program"),
      stack: name,
      // One file, and so one salt, for all: deriving a key takes its time.
      configFile: join(folder, "Pulumi.yaml"),
      stateDir: join(folder, "lab"),
      passphraseFile,
    };
    await writeStackConfig(ref.configFile, { "sample:password": secret(canary), ...config }, "correct horse");
    return ref;
  }

  const run = (operation: "preview" | "up" | "destroy" | "refresh", ref: StackRef, options: OperationOptions = {}) =>
    operate("embedded", operation, ref, { json: true, ...options });

  test("previews, updates, changes nothing the second time, and is gone after destroy", async () => {
    const ref = await stack("first");
    const state = join(ref.stateDir, "state", "sample", "first.json");

    const preview = await run("preview", ref);
    expect(preview).toMatchObject({ ok: true, changes: { create: 4 } });
    expect(existsSync(state)).toBe(false);

    const up = await run("up", ref);
    expect(up).toMatchObject({ engine: "embedded", operation: "up", ok: true, changes: { create: 4 } });
    expect(up.outputs).toEqual({ length: 8, both: "[secret]", password: "[secret]", seen: "", seenLength: 0 });
    expect(up.diagnostics).toEqual([{ severity: "warning", message: "scene plain" }]);
    expect(readFileSync(state, "utf8")).not.toContain(canary);
    expect(existsSync(`${state}.lock`)).toBe(false);

    expect(await run("preview", ref, { expectNoChanges: true })).toMatchObject({ ok: true, changes: { same: 4 } });
    expect(await stackOutputs("embedded", ref)).toEqual(up.outputs);
    const clear = await stackOutputs("embedded", ref, { showSecrets: true });
    expect(clear).toMatchObject({ length: 8, password: canary, both: expect.stringMatching(/^.{8} .{20}$/) as string });

    // Another stack reads the outputs; secrets stay secret on the way.
    const second = await run("up", await stack("second", { "sample:scene": "reference" }));
    expect(second.outputs).toMatchObject({ seen: "[secret]" });

    const longer = await stack("first", { "sample:length": 9 });
    const change = await run("preview", longer, { expectNoChanges: true });
    expect(change.ok).toBe(false);
    expect(change.changes).toEqual({ same: 2, replace: 2 });
    expect(change.steps.filter(({ op }) => op === "replace").map(({ name, diff }) => [name, diff])).toEqual([
      ["pair-first", ["length"]],
      ["pair-second", ["keepers"]],
    ]);

    expect(await run("destroy", ref)).toMatchObject({ ok: true, changes: { delete: 4 } });
    expect(JSON.parse(readFileSync(state, "utf8"))).toMatchObject({ version: 3, deployment: { resources: [] } });
  });

  const inFile = String.raw`\n +at .*program/index\.ts:\d+:\d+\)?`;
  test.each([
    ["run error", /^settings are wrong:\n {2}tls-bootstrap:pools is missing$/],
    [
      "error",
      new RegExp(`^Running program '.*index.ts' failed with an unhandled exception:\nError: something broke${inFile}`),
    ],
    ["late error", new RegExp(`unhandled exception:\nTypeError: .*missing.*${inFile}`)],
    ["error that others wait for", new RegExp(`unhandled exception:\nTypeError: .*missing.*${inFile}`)],
    ["log error", /^the program says no$/],
    ["unknown type", /^resource type 'aws:s3\/bucket:Bucket' is unknown to the embedded engine; it performs /],
    ["missing reference", /^unknown stack "organization\/sample\/nowhere"$/],
  ])("%s: tells what is wrong, deletes nothing", async (scene, message) => {
    const ref = await stack(scene.replace(/ /g, "-"), { "sample:scene": scene });
    const up = await run("up", ref);
    expect(up.ok).toBe(false);
    const errors = up.diagnostics.filter(({ severity }) => severity === "error");
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(message) as string })]);
    expect(errors[0]?.message).not.toMatch(/node_modules|lab\/engine/);
  });

  test("faults before the program runs are errors with a message", async () => {
    const ref = await stack("faults", { "sample:length": "many" });
    const message = "Stack 'faults' with configuration key 'length' must be of type 'integer'";
    await expect(run("up", ref)).rejects.toThrow(message);
  });
});
