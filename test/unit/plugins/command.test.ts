import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandPlugin } from "../../../lab/plugins/command/commandPlugin";
import { type Made, type Plugin } from "../../pluginClient";
import { fileAsset, isSecret, type Json, secret, UNKNOWN, unwrapSecrets } from "../../protocolValues";
import { ServedPlugin } from "./servedPlugin";
import { newKey, SshServer } from "./sshServer";

const server = new SshServer();
let served: ServedPlugin;
let plugin: Plugin;

beforeAll(() => server.listen());
afterAll(() => server.close());
beforeEach(async () => {
  server.commands.length = server.copied.length = 0;
  ({ plugin } = served = await ServedPlugin.start(commandPlugin));
});
afterEach(() => served.stop());

describe("remote.Command", () => {
  const which = { type: "command:remote:Command", name: "c" };

  /** Checks the inputs of a program. */
  async function checked(inputs: Json, connection: Json = {}): Promise<Json> {
    const news = { connection: { ...server.connection, ...connection }, addPreviousOutputInEnv: false, ...inputs };
    const result = await plugin.check(which, news);
    expect(result.failures).toEqual([]);
    return result.inputs;
  }

  const create = async (inputs: Json, connection: Json = {}, options = {}): Promise<Made> =>
    plugin.create(which, await checked(inputs, connection), options);

  const update = async (before: Json, after: Json, { id, outputs }: Made, options = {}): Promise<Json> =>
    (await plugin.update(which, { id, inputs: await checked(before), outputs }, await checked(after), options)).outputs;

  test("runs create with stdin, and outputs stdout without the last newline", async () => {
    const { id, outputs } = await create({ create: "cat; echo oops >&2", stdin: secret("one\ntwo\n") });
    expect(id).toMatch(/^c[0-9a-f]{8}$/);
    expect(outputs).toMatchObject({ stdout: "one\ntwo", stderr: "oops", stdin: secret("one\ntwo\n") });
  });

  test("shows output line by line as the resource's status, unless logging is none", async () => {
    await create({ create: "echo a; echo b >&2" });
    expect(served.engine.status().sort()).toEqual(["a", "b"]);
    expect(served.engine.logs[0]).toMatchObject({ severity: "info", urn: expect.stringMatching(/Command::c$/) });
    served.engine.logs.length = 0;
    await create({ create: "echo a; echo b >&2", logging: "none" });
    expect(served.engine.logs).toEqual([]);
  });

  test("reports a failing command with status, command and output, but without stdin", async () => {
    const failing = create({ create: "echo out; echo err >&2; exit 3", stdin: secret("hush-hush") });
    await expect(failing).rejects.toThrow(/^Process exited with status 3: running "echo out; echo err >&2; exit 3":\n/);
    await expect(failing).rejects.toThrow(/out\n/);
    await expect(failing).rejects.not.toThrow(/hush/);
  });

  test("updates with the update command, or else with create", async () => {
    const old = await create({ create: "echo created" });
    const first = await update({ create: "echo created" }, { create: "echo x", update: "echo updated" }, old);
    expect(first.stdout).toBe("updated");
    const second = await update({ create: "echo created" }, { create: "echo again" }, old);
    expect(second.stdout).toBe("again");
  });

  test("deletes with the recorded command, connection and stdin", async () => {
    const made = await create({ create: "true", delete: "cat >&2; exit 1", stdin: "bye" });
    await expect(plugin.delete(which, made)).rejects.toThrow(/bye/);
    await plugin.delete(which, { ...made, outputs: { ...made.outputs, delete: null } });
    expect(server.commands).toEqual(["true", "cat >&2; exit 1"]);
  });

  test("opens no connection in a preview, where outputs are unknown", async () => {
    const before = server.connections;
    const { outputs } = await create({ create: "echo" }, {}, { preview: true });
    expect(outputs.stdout).toBe(UNKNOWN);
    const old = { id: "c1", inputs: {}, outputs: { stdout: "kept", stderr: "" } };
    expect((await update({ create: "a" }, { create: "b" }, old, { preview: true })).stdout).toBe(UNKNOWN);
    expect(server.connections).toBe(before);
  });

  test("opens no connection when the operation has no command", async () => {
    const before = server.connections;
    const made = await create({ delete: "true" });
    expect(made.outputs).toMatchObject({ stdout: "", stderr: "" });
    await update({ delete: "true" }, { delete: "false" }, made);
    expect(server.connections).toBe(before);
  });

  test("refuses a wrong host key before it authenticates", async () => {
    const before = server.authentications;
    const wrong = create({ create: "true" }, { hostKey: newKey().public });
    await expect(wrong).rejects.toThrow("after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch");
    expect(server.authentications).toBe(before);
    expect(server.commands).toEqual([]);
  });

  test("reports a wrong user key", async () => {
    const wrong = create({ create: "true" }, { privateKey: newKey().private });
    await expect(wrong).rejects.toThrow("ssh: handshake failed: ssh: unable to authenticate");
  });

  test("reports unusable keys at once, without their text", async () => {
    const before = server.connections;
    const options = { privateKey: "-----BEGIN NONSENSE-----", dialErrorLimit: 50 };
    await expect(create({ create: "true" }, options)).rejects.toThrow(/^connection.privateKey: ssh: no key found/);
    await expect(create({ create: "true" }, { hostKey: "nonsense", dialErrorLimit: 50 })).rejects.toThrow(
      "connection.hostKey: ssh: no key found",
    );
    expect(server.connections).toBe(before);
  });

  test("retries as often as dialErrorLimit says, and shows each retry", async () => {
    const closed = create({ create: "true" }, { port: 1, dialErrorLimit: 2 });
    await expect(closed).rejects.toThrow("after 2 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused");
    expect(served.engine.status()).toEqual(["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"]);
  });

  test("stops dialing after customTimeouts", async () => {
    const closed = create({ create: "true" }, { port: 1, dialErrorLimit: -1 }, { timeout: 0.5 });
    await expect(closed).rejects.toThrow("context deadline exceeded");
  });

  test("cancel ends running commands and dialing, and refuses new commands", async () => {
    const running = create({ create: "echo started; exec sleep 60" });
    const dialing = create({ create: "true" }, { port: 1, dialErrorLimit: -1 });
    const ends = [running, dialing].map((making) => expect(making).rejects.toThrow("the operation was cancelled"));
    while (!served.engine.status().includes("started")) await new Promise((resume) => setTimeout(resume, 10));
    const inputs = await checked({ create: "echo new" });
    const begin = Date.now();
    await plugin.cancel();
    await Promise.all(ends);
    expect(Date.now() - begin).toBeLessThan(2000);
    await expect(plugin.create(which, inputs)).rejects.toThrow("the operation was cancelled");
    expect(server.commands).toEqual(["echo started; exec sleep 60"]);
  });

  describe("through a proxy", () => {
    const hop = new SshServer();
    beforeAll(() => hop.listen());
    afterAll(() => hop.close());
    const fails = (connection: Json, proxy: Json = {}) =>
      expect(create({ create: "true" }, { ...connection, proxy: { ...hop.connection, ...proxy } })).rejects;

    test("connects", async () => {
      const { outputs } = await create({ create: "echo through" }, { proxy: hop.connection });
      expect(outputs.stdout).toBe("through");
      expect(hop.connections).toBe(1);
    });

    test("reports errors of the proxy and of the host in the same words", async () => {
      const mismatch = "proxy: after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch";
      await fails({}, { hostKey: newKey().public }).toThrow(mismatch);
      await fails({ hostKey: newKey().public }).toThrow(mismatch);
      await fails({ port: 1 }).toThrow(/^proxy: after 0 failed attempts: ssh: rejected: connect failed/);
    });

    test("does not open the connection from the proxy again after a failed login", async () => {
      const wrong = { hostKey: newKey().public, dialErrorLimit: 1 };
      const before = server.connections;
      await fails(wrong).toThrow("proxy: after 1 failed attempts: ssh: handshake failed: EOF");
      expect(server.connections).toBe(before + 1);
    });
  });

  test("check fills in defaults, makes the connection secret and names unknown keys without their values", async () => {
    const { inputs } = await plugin.check(which, { connection: { host: "h" }, create: "x" });
    expect(inputs.connection).toEqual(
      secret({ host: "h", user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 }),
    );
    const bad = await plugin.check(which, { connection: { host: "h", privatKey: "SECRET" } });
    expect(bad.failures).toEqual([{ property: "connection", reason: 'Unrecognized key: "privatKey"' }]);
    const none = await plugin.check(which, {});
    expect(none.failures).toEqual([{ property: "connection", reason: expect.stringContaining("Invalid input") }]);
    const unknown = await plugin.check(which, { connection: { host: "h" }, environment: { A: "b" } });
    expect(unknown.failures).toEqual([{ property: "", reason: 'Unrecognized key: "environment"' }]);
  });

  test("updates the whole connection for a changed host", async () => {
    const made = { id: "c1", inputs: await checked({ create: "a" }), outputs: {} };
    const diff = await plugin.diff(which, made, await checked({ create: "a" }, { host: "elsewhere" }));
    expect(diff).toMatchObject({ changes: true, detailed: { connection: "update" }, replaces: [] });
  });

  // The engine asks so before it deletes what the triggers come from.
  test("is replaced when its triggers are unknown", async () => {
    const made = { id: "c1", inputs: await checked({ create: "a", triggers: ["10.0.0.1"] }), outputs: {} };
    const diff = await plugin.diff(which, made, { ...made.inputs, triggers: UNKNOWN });
    expect(diff.replaces).toEqual(["triggers"]);
  });

  test("runs several commands at once", async () => {
    const begin = Date.now();
    await Promise.all(Array.from({ length: 8 }, () => create({ create: "sleep 1" })));
    expect(Date.now() - begin).toBeLessThan(6000);
  });

  test("refuses other types by name", async () => {
    const local = plugin.check({ type: "command:local:Command" }, {});
    await expect(local).rejects.toThrow(
      "resource type 'command:local:Command' is unknown to the stand-in for the command plugin. " +
        "It has the resource types command:remote:Command, command:remote:CopyToRemote.",
    );
  });
});

describe("remote.CopyToRemote", () => {
  const which = { type: "command:remote:CopyToRemote", name: "f" };
  let folder: string;

  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "copy-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Checked inputs for a file with this text. The engine adds a hash. */
  async function inputsOf(name: string, text: string, remotePath = "copy"): Promise<Json> {
    const path = join(folder, name);
    writeFileSync(path, text);
    const source = fileAsset(path, `hash of ${text.slice(0, 20)}`);
    const news = { connection: server.connection, source, remotePath: join(folder, remotePath) };
    const { inputs, failures } = await plugin.check(which, news);
    expect(failures).toEqual([]);
    expect(isSecret(inputs.connection)).toBe(true);
    return inputs;
  }
  const update = (inputs: Json, news: Json) => plugin.update(which, { id: "f1", inputs, outputs: inputs }, news);

  test("copies a file, but not in a preview", async () => {
    const text = "a line\n".repeat(50_000);
    const inputs = await inputsOf("one", text);
    await plugin.create(which, inputs, { preview: true });
    expect(server.copied).toEqual([]);
    await plugin.create(which, inputs);
    expect(readFileSync(join(folder, "copy"), "utf8")).toBe(text);
  });

  test("copies again for other content or another remote path, but not for another local path", async () => {
    const before = await inputsOf("a", "text");
    const moved = await inputsOf("b", "text");
    const changed = await inputsOf("a", "other");
    const diff = async (news: Json) =>
      (await plugin.diff(which, { id: "f1", inputs: before, outputs: before }, news)).detailed;
    expect(await diff(moved)).toEqual({});
    expect(await diff(changed)).toEqual({ source: "update" });
    await update(before, { ...before, triggers: ["x"] });
    expect(server.copied).toEqual([]);
    await update(before, changed);
    await update(before, await inputsOf("a", "text", "elsewhere"));
    expect(server.copied).toEqual([join(folder, "copy"), join(folder, "elsewhere")]);
  });

  test("refuses a source that is no file, and a missing remote path", async () => {
    const source = { ...fileAsset("", "hash"), path: null, text: "x" };
    const { failures } = await plugin.check(which, { connection: server.connection, source });
    expect(unwrapSecrets(failures)).toEqual([
      { property: "remotePath", reason: expect.stringContaining("Invalid input") },
      { property: "source", reason: "must be a file asset" },
    ]);
  });
});
