import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../../../lab/plugins/command";
import type { CreateRequest, Provider } from "../../../lab/plugins/provider";
import { Secret, unknown, type Props } from "../../../lab/plugins/values";
import { propsFromWire } from "../../../lab/plugins/wire";
import { newKey, SshServer } from "./sshServer";

const type = "command:remote:Command";
const urn = `urn:pulumi:dev::proj::${type}::c`;
const subject = { urn, type, name: "c" };

describe("remote.Command", () => {
  const server = new SshServer();
  const warnings: string[] = [];
  const live: string[] = [];
  let provider: Provider;

  beforeAll(() => server.listen());
  afterAll(() => server.close());
  beforeEach(() => {
    warnings.length = live.length = server.commands.length = 0;
    server.acceptEnv = [];
    provider = command.configure(
      {},
      { log: (_severity, _urn, message) => warnings.push(message), status: (_urn, message) => live.push(message) },
    );
  });

  /** Inputs as a program gives them, checked. */
  async function checked(inputs: Props, connection: Props = {}): Promise<Props> {
    const news = { connection: { ...server.connection, ...connection }, addPreviousOutputInEnv: false, ...inputs };
    const result = await provider.check({ ...subject, news });
    expect(result.failures).toEqual([]);
    return result.inputs;
  }

  async function create(inputs: Props, connection: Props = {}, preview = false) {
    const request: CreateRequest = { ...subject, inputs: await checked(inputs, connection), preview };
    return provider.create(request);
  }

  async function update(before: Props, after: Props, old: { id: string; outputs: Props }, preview = false) {
    return provider.update({
      ...subject,
      id: old.id,
      inputs: await checked(after),
      oldInputs: await checked(before),
      oldOutputs: old.outputs,
      ignoreChanges: [],
      preview,
    });
  }

  test("runs create, hands it stdin, and keeps its output without the last newline", async () => {
    const { id, outputs } = await create({ create: "cat; echo oops >&2", stdin: new Secret("one\ntwo\n") });
    expect(id).toMatch(/^c[0-9a-f]{8}$/);
    expect(outputs).toMatchObject({ stdout: "one\ntwo", stderr: "oops" });
  });

  test("passes output on line by line, unless logging is none", async () => {
    await create({ create: "echo a; echo b >&2" });
    expect(live.sort()).toEqual(["a", "b"]);
    live.length = 0;
    await create({ create: "echo a; echo b >&2", logging: "none" });
    expect(live).toEqual([]);
  });

  test("a failing command tells status, command and merged output, but not stdin", async () => {
    const failing = create({ create: "echo out; echo err >&2; exit 3", stdin: new Secret("hush-hush") });
    await expect(failing).rejects.toThrow(/^Process exited with status 3: running "echo out; echo err >&2; exit 3":\n/);
    await expect(failing).rejects.toThrow(/out\n/);
    await expect(failing).rejects.not.toThrow(/hush/);
  });

  test("updates by the update command, and by create where there is none", async () => {
    const old = await create({ create: "echo created" });
    const first = await update({ create: "echo created" }, { create: "echo x", update: "echo updated" }, old);
    expect(first.outputs.stdout).toBe("updated");
    const second = await update({ create: "echo created" }, { create: "echo again" }, old);
    expect(second.outputs.stdout).toBe("again");
  });

  test("deletes with the recorded command, connection and stdin", async () => {
    const { id, outputs } = await create({ create: "true", delete: "cat >&2; exit 1", stdin: "bye" });
    const inputs = await checked({});
    await expect(provider.delete({ ...subject, id, inputs, outputs })).rejects.toThrow(/bye/);
    await provider.delete({ ...subject, id, inputs, outputs: { ...outputs, delete: null } });
    expect(server.commands).toEqual(["true", "cat >&2; exit 1"]);
  });

  test("a preview opens no connection and knows no output", async () => {
    const before = server.connections;
    const { id, outputs } = await create({ create: "echo" }, {}, true);
    expect({ id, stdout: outputs.stdout }).toEqual({ id: "", stdout: unknown });
    const old = { id: "c1", outputs: { stdout: "kept", stderr: "" } };
    expect((await update({ create: "a" }, { create: "b" }, old, true)).outputs.stdout).toBe(unknown);
    expect((await update({ create: "a" }, { create: "a" }, old, true)).outputs.stdout).toBe("kept");
    expect(server.connections).toBe(before);
  });

  test("a wrong host key is refused before any authentication", async () => {
    const before = server.authentications;
    const wrong = create({ create: "true" }, { hostKey: newKey().public });
    await expect(wrong).rejects.toThrow("ssh: handshake failed: ssh: host key mismatch");
    expect(server.authentications).toBe(before);
    expect(server.commands).toEqual([]);
  });

  test("a wrong user key says so", async () => {
    const wrong = create({ create: "true" }, { privateKey: newKey().private });
    await expect(wrong).rejects.toThrow("unable to authenticate");
  });

  test("unusable keys are told at once, without their text", async () => {
    const before = server.connections;
    const options = { privateKey: "-----BEGIN NONSENSE-----", dialErrorLimit: 50 };
    await expect(create({ create: "true" }, options)).rejects.toThrow(/^ssh: no key found/);
    await expect(create({ create: "true" }, { hostKey: "nonsense", dialErrorLimit: 50 })).rejects.toThrow(
      "failed to parse host key: ssh: no key found",
    );
    expect(server.connections).toBe(before);
  });

  test("dialErrorLimit counts the retries, and each is told", async () => {
    const closed = create({ create: "true" }, { port: 1, dialErrorLimit: 2 });
    await expect(closed).rejects.toThrow("after 2 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused");
    expect(live).toEqual(["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"]);
  });

  test("goes through a proxy", async () => {
    const hop = new SshServer();
    await hop.listen();
    try {
      const { outputs } = await create({ create: "echo through" }, { proxy: hop.connection });
      expect(outputs.stdout).toBe("through");
      expect(hop.connections).toBe(1);
      await expect(
        create({ create: "true" }, { proxy: { ...hop.connection, hostKey: newKey().public } }),
      ).rejects.toThrow(/^proxy: .*host key mismatch/);
    } finally {
      await hop.close();
    }
  });

  test("a refused variable of `environment` is an error, a refused previous output only a warning", async () => {
    const env = { environment: { WORD: "w" } };
    await expect(create({ create: "echo $WORD", ...env })).rejects.toThrow('could not set environment variable "WORD"');
    server.acceptEnv = ["WORD"];
    const old = await create({ create: "echo $WORD", ...env });
    expect(old.outputs.stdout).toBe("w");
    await update({ create: "echo" }, { create: "echo 2", addPreviousOutputInEnv: true }, old);
    expect(warnings).toEqual([expect.stringContaining("Unable to set 'PULUMI_COMMAND_STDOUT'")]);
  });

  test("check fills in defaults, makes the connection secret and names unknown keys without their values", async () => {
    const { inputs } = await provider.check({ ...subject, news: { connection: { host: "h" }, create: "x" } });
    expect(inputs.connection).toEqual(
      new Secret({ host: "h", user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 }),
    );
    const bad = await provider.check({ ...subject, news: { connection: { host: "h", privatKey: "SECRET" } } });
    expect(bad.failures).toEqual([{ property: "connection", reason: "unknown property 'privatKey'" }]);
    const none = await provider.check({ ...subject, news: {} });
    expect(none.failures).toEqual([{ property: "connection", reason: "missing required property 'connection'" }]);
  });

  test("a changed host is an update of the connection as a whole", async () => {
    const oldInputs = await checked({ create: "a" });
    const newInputs = await checked({ create: "a" }, { host: "elsewhere" });
    const diff = await provider.diff({ ...subject, id: "c1", oldInputs, oldOutputs: {}, newInputs, ignoreChanges: [] });
    expect(diff.keys).toEqual({ connection: { kind: "update", replace: false } });
  });
});

describe("remote.CopyToRemote", () => {
  const server = new SshServer();
  const copy = {
    urn: "urn:pulumi:dev::proj::command:remote:CopyToRemote::f",
    type: "command:remote:CopyToRemote",
    name: "f",
  };
  let provider: Provider;
  let folder: string;

  beforeAll(async () => {
    await server.listen();
    folder = mkdtempSync(join(tmpdir(), "copy-"));
    provider = command.configure({}, { log: () => {}, status: () => {} });
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    server.copied.length = 0;
  });

  /** What a program gives, as it comes from the SDK. */
  async function inputsOf(name: string, text: string, remotePath = "copy"): Promise<Props> {
    const path = join(folder, name);
    writeFileSync(path, text);
    const source = { "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", path };
    const news = { connection: server.connection, ...propsFromWire({ source }), remotePath: join(folder, remotePath) };
    const { inputs, failures } = await provider.check({ ...copy, news });
    expect(failures).toEqual([]);
    return inputs;
  }
  const update = (oldInputs: Props, inputs: Props) =>
    provider.update({ ...copy, id: "f1", inputs, oldInputs, oldOutputs: oldInputs, ignoreChanges: [], preview: false });

  test("copies a file, making the folders on the way, and not in a preview", async () => {
    const text = "a line\n".repeat(50_000);
    const inputs = await inputsOf("one", text, "new/folder/copy");
    await provider.create({ ...copy, inputs, preview: true });
    expect(server.copied).toEqual([]);
    await provider.create({ ...copy, inputs, preview: false });
    expect(readFileSync(join(folder, "new/folder/copy"), "utf8")).toBe(text);
  });

  test("into a folder that is there, under its own name", async () => {
    mkdirSync(join(folder, "existing"));
    await provider.create({ ...copy, inputs: await inputsOf("two", "two", "existing"), preview: false });
    expect(readFileSync(join(folder, "existing", "two"), "utf8")).toBe("two");
  });

  test("the same file from elsewhere is no change; another one is, and so is another place", async () => {
    const [before, moved, changed] = [
      await inputsOf("a", "text"),
      await inputsOf("b", "text"),
      await inputsOf("a", "other"),
    ];
    const diff = async (newInputs: Props) =>
      (await provider.diff({ ...copy, id: "f1", oldInputs: before, oldOutputs: {}, newInputs, ignoreChanges: [] }))
        .keys;
    expect(await diff(moved)).toEqual({});
    expect(Object.keys(await diff(changed))).toEqual(["source.hash"]);
    await update(before, { ...before, triggers: ["x"] });
    expect(server.copied).toEqual([]);
    await update(before, changed);
    await update(before, await inputsOf("a", "text", "elsewhere"));
    expect(server.copied).toEqual([join(folder, "copy"), join(folder, "elsewhere")]);
  });

  test("a file that is not there, an archive and a missing path are told", async () => {
    const asset = (rest: object) =>
      propsFromWire({ source: { "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", ...rest } });
    expect(() => asset({ path: join(folder, "missing") })).toThrow(/^failed to compute asset hash: .*ENOENT/);
    expect(() => asset({ text: "x" })).toThrow("files only");
    const { failures } = await provider.check({ ...copy, news: { connection: server.connection } });
    expect(failures.map(({ property }) => property)).toEqual(["source", "remotePath"]);
  });
});
