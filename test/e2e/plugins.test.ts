/**
 * The contract of resource plugins, tested through their protocol. It runs on the lab's stand-ins. TLS_BOOTSTRAP_TEST_PLUGINS names a
 * folder of published plugins to run it on, with the layout of `$PULUMI_HOME/plugins`.
 *
 * @independent
 */
import { createRequire } from "node:module";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeEngine } from "../fakeEngine";
import { InitFailed, Plugin, type Which, writeStandIn } from "../pluginClient";
import { isSecret, type Json, secret, UNKNOWN, unwrapSecrets } from "../protocolValues";
import { bundlePlugins } from "../../lab/pulumi/pluginBundle";
import { TestLab } from "./testLab";

const lab = new TestLab();
const NAMESPACE = "plugins";

let engine: FakeEngine;
let folder: string;
let standIns: string;
const started: Plugin[] = [];

/** The executable of a published plugin; undefined when the suite runs on stand-ins. */
function publishedExecutable(name: string): string | undefined {
  const folders = process.env.TLS_BOOTSTRAP_TEST_PLUGINS;
  const { version } = createRequire(__filename)(`@pulumi/${name}/package.json`) as { version: string };
  return folders ? join(folders, `resource-${name}-v${version}`, `pulumi-resource-${name}`) : undefined;
}

/** Starts a configured plugin in its own process, as the engine does for each provider. */
async function start(name: string, config: Json = {}): Promise<Plugin> {
  const plugin = await Plugin.start(name, publishedExecutable(name) ?? writeStandIn(folder, standIns, name), engine);
  started.push(plugin);
  await plugin.handshake(engine).catch(() => undefined); // older plugins have none
  expect((await plugin.checkConfig(config)).failures).toEqual([]);
  await plugin.configure(config);
  return plugin;
}

/** Skips the tests of a plugin that the folder of published plugins lacks. */
function describePlugin(name: string, tests: () => void): void {
  const published = publishedExecutable(name);
  const isThere = published === undefined || existsSync(published);
  (isThere ? describe : describe.skip)(name, tests);
}

beforeAll(async () => {
  engine = await new FakeEngine().start();
  standIns = await bundlePlugins();
  folder = mkdtempSync(join(tmpdir(), "plugins-"));
  await lab.kubectl("create", "namespace", NAMESPACE);
});
afterAll(async () => {
  await Promise.all(started.map((plugin) => plugin.stop()));
  engine.stop();
  rmSync(folder, { recursive: true });
  await lab.kubectl("delete", "namespace", NAMESPACE, "--wait");
});
beforeEach(() => (engine.logs.length = 0));

describePlugin("kubernetes", () => {
  let plugin: Plugin;
  const config = async (): Promise<Json> => ({
    kubeconfig: secret(readFileSync((await lab.facts()).kubeconfig, "utf8")),
  });
  beforeAll(async () => (plugin = await start("kubernetes", await config())));

  const configMap = { type: "kubernetes:core/v1:ConfigMap" };
  const patch = { type: "kubernetes:core/v1:ConfigMapPatch" };
  const secretObject = { type: "kubernetes:core/v1:Secret" };
  const account = { type: "kubernetes:core/v1:ServiceAccount" };
  const deployment = { type: "kubernetes:apps/v1:Deployment" };
  /** What the SDK adds to a program's inputs. */
  const of = ({ type }: Which, inputs: Json): Json => {
    const [, groupVersion, kind] = type.split(":");
    return { apiVersion: groupVersion.replace(/^core\//, ""), kind: kind.replace(/Patch$/, ""), ...inputs };
  };
  const check = (which: Which, inputs: Json, olds?: Json) => plugin.check(which, of(which, inputs), olds);
  const make = (which: Which, inputs: Json, options = {}, by = plugin) => by.make(which, of(which, inputs), options);
  const metadata = (name: string, more: Json = {}): Json => ({ name, namespace: NAMESPACE, ...more });
  const live = (kind: string, name: string): Promise<any> => lab.get(kind, name, "-n", NAMESPACE);
  const exists = async (kind: string, name: string): Promise<boolean> =>
    (await lab.run("kubectl", "get", kind, name, "-n", NAMESPACE)).status === 0;

  test("creates, finds no difference, updates in place, and deletes", async () => {
    const news = { metadata: metadata("life", { labels: { a: "1" } }), automountServiceAccountToken: false };
    const made = await make(account, news);
    expect(made.id).toBe(`${NAMESPACE}/life`);
    expect(made.outputs).toMatchObject({ kind: "ServiceAccount", metadata: { uid: expect.any(String) } });
    expect((await plugin.diff(account, made, made.inputs)).changes).toBe(false);

    const changed = { ...news, metadata: metadata("life", { labels: { b: "2" } }) };
    const { inputs } = await check(account, changed, made.inputs);
    const diff = await plugin.diff(account, made, inputs);
    expect(diff).toMatchObject({ changes: true, replaces: [] });
    expect(diff.detailed).toEqual({ "metadata.labels.a": "delete", "metadata.labels.b": "add" });
    const updated = await plugin.update(account, made, inputs);
    expect((await live("serviceaccount", "life")).metadata.labels).toEqual({ b: "2" });
    expect(updated.outputs.metadata).toMatchObject({ uid: made.outputs.metadata.uid, labels: { b: "2" } });

    await plugin.delete(account, updated);
    expect(await exists("serviceaccount", "life")).toBe(false);
    await plugin.delete(account, updated); // what is gone can be deleted again
  });

  test("gives an object without a name a name, and keeps it", async () => {
    const which = { ...configMap, name: "own" };
    const { inputs } = await check(which, { metadata: { namespace: NAMESPACE }, data: { a: "1" } });
    expect(inputs.metadata.name).toMatch(/^own-[0-9a-f]{8}$/);
    const again = await check(which, { metadata: { namespace: NAMESPACE }, data: { a: "2" } }, inputs);
    expect(again.inputs.metadata.name).toBe(inputs.metadata.name);
  });

  test("puts an object without a namespace into that of the configuration", async () => {
    const { inputs } = await check(configMap, { metadata: { name: "x" } });
    expect(inputs.metadata.namespace).toBe("default");
    const other = await start("kubernetes", { ...(await config()), namespace: "elsewhere" });
    expect((await other.check(configMap, of(configMap, { metadata: { name: "x" } }))).inputs.metadata.namespace).toBe(
      "elsewhere",
    );
    const node = { type: "kubernetes:core/v1:Node" };
    const checkedNode = await other.check(node, of(node, { metadata: { name: "x" } }));
    expect(checkedNode.inputs.metadata.namespace).toBeUndefined();
  });

  test("refuses to create an existing object, unless upsertExistingObjects is set", async () => {
    await lab.kubectl("create", "configmap", "there", "-n", NAMESPACE, "--from-literal=a=1");
    const news = { metadata: metadata("there"), data: { b: "2" } };
    await expect(make(configMap, news)).rejects.toThrow(/configmaps "there" already exists/);
    const preview = await make(configMap, news, { preview: true });
    expect(preview.outputs).toMatchObject({ data: { b: "2" } });
    const taking = await start("kubernetes", { ...(await config()), upsertExistingObjects: "true" });
    const made = await make(configMap, news, {}, taking);
    expect((await live("configmap", "there")).data).toEqual({ a: "1", b: "2" });
    await taking.delete(configMap, made);
  });

  test("a create that the server refuses leaves nothing", async () => {
    const news = { metadata: metadata("bad", { labels: { a: "not a label!" } }), data: {} };
    await expect(make(configMap, news)).rejects.toThrow(/was not successfully created.*Invalid value/s);
    expect(await exists("configmap", "bad")).toBe(false);
  });

  test("an update that the server refuses is a partial failure, and the next update repairs it", async () => {
    const news = { metadata: metadata("refused", { labels: { a: "1" } }), automountServiceAccountToken: false };
    const made = await make(account, news);
    const bad = { ...made.inputs, metadata: metadata("refused", { labels: { a: "not a label!" } }) };
    const error: unknown = await plugin.update(account, made, bad).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InitFailed);
    const failed = error as InitFailed;
    expect(failed.id).toBe(made.id);
    expect(failed.reasons.join("\n")).toMatch(/Invalid value/);
    expect(failed.outputs.metadata.labels).toEqual({ a: "1" });
    const kept = { id: made.id, inputs: bad, outputs: failed.outputs };
    const good = { ...made.inputs, metadata: metadata("refused", { labels: { a: "2" } }) };
    expect((await plugin.diff(account, kept, good)).detailed).toEqual({ "metadata.labels.a": "update" });
    const repaired = await plugin.update(account, kept, good);
    expect((await live("serviceaccount", "refused")).metadata.labels).toEqual({ a: "2" });
    await plugin.delete(account, repaired);
  });

  test("a Secret's data is secret, and a change replaces it, deleting first", async () => {
    const news = { metadata: metadata("word"), stringData: { a: "1" } };
    const made = await make(secretObject, news);
    expect(made.inputs.data).toEqual(secret({ a: "MQ==" }));
    expect(made.inputs.stringData).toBeUndefined();
    expect(isSecret(made.outputs.data)).toBe(true);
    expect(unwrapSecrets(made.outputs.data)).toEqual({ a: "MQ==" });
    expect((await plugin.diff(secretObject, made, made.inputs)).changes).toBe(false);

    const { inputs } = await check(secretObject, { ...news, stringData: { a: "2" } }, made.inputs);
    const diff = await plugin.diff(secretObject, made, inputs);
    expect(diff).toMatchObject({ changes: true, deleteBeforeReplace: true });
    expect(Object.values(diff.detailed)).toEqual(["update-replace"]);
    await plugin.delete(secretObject, made);
    const again = await plugin.create(secretObject, inputs);
    expect(unwrapSecrets(again.outputs.data)).toEqual({ a: "Mg==" });
    expect(again.outputs.metadata.uid).not.toBe(made.outputs.metadata.uid);
    await plugin.delete(secretObject, again);
  });

  test("ConfigMaps change in place with enableConfigMapMutable", async () => {
    const mutable = await start("kubernetes", { ...(await config()), enableConfigMapMutable: "true" });
    const made = await make(configMap, { metadata: metadata("mutable"), data: { a: "1" } }, {}, mutable);
    const news = { ...made.inputs, data: { a: "2" } };
    expect((await mutable.diff(configMap, made, news)).detailed).toEqual({ "data.a": "update" });
    expect((await plugin.diff(configMap, made, news)).detailed).toEqual({ "data.a": "update-replace" });
    const updated = await mutable.update(configMap, made, news);
    expect((await live("configmap", "mutable")).data).toEqual({ a: "2" });
    await mutable.delete(configMap, updated);
  });

  test("a patch creates a missing object, and a delete gives up its fields", async () => {
    const alone = await make(patch, { metadata: metadata("fresh"), data: { b: "2" } });
    expect((await live("configmap", "fresh")).data).toEqual({ b: "2" });
    await plugin.delete(patch, alone);
    expect(await exists("configmap", "fresh")).toBe(true);
    await lab.kubectl("delete", "configmap", "fresh", "-n", NAMESPACE);

    await lab.kubectl("create", "configmap", "theirs", "-n", NAMESPACE, "--from-literal=a=1");
    const made = await make(patch, { metadata: metadata("theirs"), data: { b: "2" } });
    expect((await live("configmap", "theirs")).data).toEqual({ a: "1", b: "2" });
    const { inputs } = await check(patch, { metadata: metadata("theirs"), data: { b: "3" } }, made.inputs);
    expect((await plugin.diff(patch, made, inputs)).detailed).toEqual({ "data.b": "update" });
    const updated = await plugin.update(patch, made, inputs);
    expect((await live("configmap", "theirs")).data).toEqual({ a: "1", b: "3" });
    await plugin.delete(patch, updated);
    expect((await live("configmap", "theirs")).data).toEqual({ a: "1" });
    await lab.kubectl("delete", "configmap", "theirs", "-n", NAMESPACE);
  });

  test("a patch of another manager's field is a conflict, unless it is forced", async () => {
    const force = { "pulumi.com/patchForce": "true" };
    await lab.kubectl("create", "configmap", "contested", "-n", NAMESPACE, "--from-literal=a=1");
    const news = { metadata: metadata("contested"), data: { a: "2" } };
    await expect(make(patch, news)).rejects.toThrow(/had an apply conflict.*\.data\.a/s);
    const made = await make(patch, { ...news, metadata: metadata("contested", { annotations: force }) });
    expect((await live("configmap", "contested")).data).toEqual({ a: "2" });
    await plugin.delete(patch, made);
    await lab.kubectl("delete", "configmap", "contested", "-n", NAMESPACE);
  });

  test("a refresh finds changes and deletions by others", async () => {
    const news = { metadata: metadata("drift"), data: { a: "1" } };
    const made = await make(configMap, news);
    await lab.kubectl("label", "configmap", "drift", "-n", NAMESPACE, "by=others");
    await lab.kubectl("patch", "configmap", "drift", "-n", NAMESPACE, "-p", '{"data":{"a":"9"}}');
    const now = await plugin.read(configMap, made);
    expect(now?.inputs.data).toEqual({ a: "9" });
    expect(now?.inputs.metadata.labels).toBeUndefined();
    expect(now?.outputs).toMatchObject({ data: { a: "9" }, metadata: { labels: { by: "others" } } });
    expect((await plugin.diff(configMap, now!, made.inputs)).detailed).toEqual({ "data.a": "update-replace" });
    await lab.kubectl("delete", "configmap", "drift", "-n", NAMESPACE);
    expect(await plugin.read(configMap, made)).toBeUndefined();
  });

  test("an import finds an object by its id alone, and a pending create by its inputs", async () => {
    await lab.kubectl("create", "secret", "generic", "known", "-n", NAMESPACE, "--from-literal=a=1");
    const id = `${NAMESPACE}/known`;
    const imported = await plugin.read(secretObject, { id, inputs: {}, outputs: {} });
    expect(imported?.id).toBe(id);
    expect(imported?.outputs).toMatchObject({ kind: "Secret", metadata: { uid: expect.any(String) } });
    expect(imported?.inputs).toMatchObject({ apiVersion: "v1", kind: "Secret", metadata: { name: "known" } });
    expect(imported?.inputs.metadata.uid).toBeUndefined();
    const { inputs } = await check(secretObject, { metadata: metadata("known"), stringData: { a: "1" } });
    const pending = await plugin.read(secretObject, { id, inputs, outputs: {} });
    expect((await plugin.diff(secretObject, pending!, inputs)).changes).toBe(false);
    await plugin.delete(secretObject, pending!);
    expect(await exists("secret", "known")).toBe(false);
  });

  test("a workload that never becomes ready is a partial failure of create, update and refresh", async () => {
    const labels = { app: "never" };
    const news = (image: string): Json => ({
      metadata: metadata("never", { annotations: { "pulumi.com/timeoutSeconds": "3" } }),
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { nodeSelector: { no: "such" }, containers: [{ name: "c", image }] },
        },
      },
    });
    const { inputs } = await check(deployment, news("a:1"));
    const failed = (await plugin.create(deployment, inputs).catch((reason: unknown) => reason)) as InitFailed;
    expect(failed).toBeInstanceOf(InitFailed);
    expect(failed.id).toBe(`${NAMESPACE}/never`);
    expect(failed.reasons.length).toBeGreaterThan(0);
    expect(failed.outputs).toMatchObject({ kind: "Deployment", spec: { replicas: 1 } });
    const kept = { id: failed.id, inputs, outputs: failed.outputs };
    const other = (await check(deployment, news("b:1"), inputs)).inputs;
    const update: unknown = await plugin.update(deployment, kept, other).catch((reason: unknown) => reason);
    expect(update).toBeInstanceOf(InitFailed);
    expect((update as InitFailed).outputs.spec.template.spec.containers[0].image).toBe("b:1");
    const refresh: unknown = await plugin.read(deployment, kept).catch((reason: unknown) => reason);
    expect(refresh).toBeInstanceOf(InitFailed);
    expect((refresh as InitFailed).id).toBe(failed.id);
    await plugin.delete(deployment, kept);
    expect(await exists("deployment", "never")).toBe(false);
  });

  test("customTimeouts limit the wait, and skipAwait skips it", async () => {
    const labels = { app: "slow" };
    const spec = {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { nodeSelector: { no: "such" }, containers: [{ name: "c", image: "a" }] },
      },
    };
    const begin = Date.now();
    const making = make(deployment, { metadata: metadata("slow"), spec }, { timeout: 2 });
    await expect(making).rejects.toBeInstanceOf(InitFailed);
    expect(Date.now() - begin).toBeLessThan(60_000);
    const skip = { "pulumi.com/skipAwait": "true" };
    const made = await make(deployment, { metadata: metadata("skipped", { annotations: skip }), spec });
    await plugin.delete(deployment, made);
    await lab.kubectl("delete", "deployment", "slow", "-n", NAMESPACE);
  });

  test("a preview changes nothing, and returns what the server would store", async () => {
    const news = { metadata: metadata("preview"), data: { a: "1" } };
    const known = await make(configMap, news, { preview: true });
    expect(known.outputs).toMatchObject({ data: { a: "1" }, metadata: { name: "preview" } });
    const unknown = await make(configMap, { ...news, data: { a: UNKNOWN } }, { preview: true });
    expect(unknown.outputs.data.a).toBe(UNKNOWN);
    const missing = { ...news, metadata: { ...news.metadata, namespace: "not-yet" } };
    expect((await make(configMap, missing, { preview: true })).outputs.data).toEqual({ a: "1" });
    expect(await exists("configmap", "preview")).toBe(false);

    const made = await make(account, { metadata: metadata("preview") });
    const labelled = { ...made.inputs, metadata: metadata("preview", { labels: { a: "1" } }) };
    const updated = await plugin.update(account, made, labelled, { preview: true });
    expect(updated.outputs.metadata.labels).toEqual({ a: "1" });
    expect((await live("serviceaccount", "preview")).metadata.labels).toBeUndefined();
    const withUnknown = { ...made.inputs, metadata: metadata("preview", { labels: { a: UNKNOWN } }) };
    expect((await plugin.diff(account, made, withUnknown)).changes).toBe(true);
    await plugin.update(account, made, withUnknown, { preview: true });
    await plugin.delete(account, made);
  });

  test("ignoreChanges are no difference, and are not applied", async () => {
    const made = await make(account, { metadata: metadata("ignored", { labels: { a: "1", b: "1" } }) });
    const news = { ...made.inputs, metadata: metadata("ignored", { labels: { a: "2", b: "1" } }) };
    const ignoreChanges = ["metadata.labels.a"];
    expect((await plugin.diff(account, made, news, ignoreChanges)).changes).toBe(false);
    const both = { ...made.inputs, metadata: metadata("ignored", { labels: { a: "2", b: "2" } }) };
    const updated = await plugin.update(account, made, both, { ignoreChanges });
    expect((await live("serviceaccount", "ignored")).metadata.labels).toEqual({ a: "1", b: "2" });
    await plugin.delete(account, updated);
  });

  test("an unreachable cluster is reported without a wait", async () => {
    const kubeconfig = readFileSync((await lab.facts()).kubeconfig, "utf8").replace(
      /server: .*/,
      "server: https://127.0.0.1:1",
    );
    const lost = await start("kubernetes", { kubeconfig: secret(kubeconfig) });
    const { inputs } = await lost.check(configMap, of(configMap, { metadata: metadata("lost"), data: { a: "1" } }));
    expect((await lost.create(configMap, inputs, { preview: true })).outputs.data).toEqual({ a: "1" });
    await expect(lost.create(configMap, inputs)).rejects.toThrow(/unreachable|cannot reach/);
  });
});

describePlugin("command", () => {
  const which = { type: "command:remote:Command", name: "c" };
  let plugin: Plugin;
  let connection: Json;

  beforeAll(async () => {
    plugin = await start("command");
    const { ssh, workers } = await lab.facts();
    const [{ address }] = workers;
    const known = readFileSync(ssh.knownHostsFile, "utf8").split("\n");
    const hostKey = known
      .find((line) => line.split(" ")[0].split(",").includes(address))!
      .split(" ")
      .slice(1, 3);
    const privateKey = readFileSync(ssh.privateKeyFile, "utf8");
    connection = { host: address, user: ssh.user, privateKey, hostKey: hostKey.join(" "), dialErrorLimit: 3 };
  });
  const news = (inputs: Json): Json => ({ connection, addPreviousOutputInEnv: false, ...inputs });

  test("creates, updates and deletes over SSH", async () => {
    const file = "/tmp/plugin-contract";
    const inputs = { create: `tee ${file}; echo oops >&2`, stdin: "one\ntwo\n", delete: `cat ${file}; rm ${file}` };
    const made = await plugin.make(which, news(inputs));
    expect(made.id).toMatch(/^c[0-9a-f]{8}$/);
    expect(made.outputs).toMatchObject({ stdout: "one\ntwo", stderr: "oops" });
    expect(isSecret(made.outputs.connection)).toBe(true);
    expect((await plugin.diff(which, made, made.inputs)).changes).toBe(false);
    expect(engine.status().sort()).toEqual(["one", "oops", "two"]);

    const changed = (await plugin.check(which, news({ ...inputs, update: `cat ${file}` }), made.inputs)).inputs;
    expect((await plugin.diff(which, made, changed)).detailed).toEqual({ update: "add" });
    const updated = await plugin.update(which, made, changed);
    expect(updated.outputs.stdout).toBe("one\ntwo");
    expect((await plugin.read(which, updated))?.outputs).toMatchObject({ stdout: "one\ntwo" });
    await plugin.delete(which, updated);
    await expect(plugin.delete(which, updated)).rejects.toThrow(/No such file/); // its command runs again, and fails
  });

  test("reports a failing command with status, command and output, but without stdin", async () => {
    const failing = plugin.make(which, news({ create: "echo out; echo err >&2; exit 3", stdin: secret("hush-hush") }));
    await expect(failing).rejects.toThrow(/Process exited with status 3: running "echo out; echo err >&2; exit 3":\n/);
    await expect(failing).rejects.toThrow(/out\n/);
    await expect(failing).rejects.not.toThrow(/hush/);
  });

  test("a preview opens no connection, and an unknown input makes the outputs unknown", async () => {
    const nowhere = { ...connection, host: "127.0.0.1", port: 1 };
    const inputs = { connection: nowhere, create: "echo", stdin: UNKNOWN };
    const made = await plugin.make(which, inputs, { preview: true });
    expect(made.outputs).toMatchObject({ stdout: UNKNOWN, stdin: UNKNOWN });
  });

  test("refuses another host key", async () => {
    const other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMD70DqivXbQUSfY/+9eovddXFbuJtgtxzNJAHWWO3Xr";
    const wrong = { ...connection, hostKey: other, dialErrorLimit: 0 };
    await expect(plugin.make(which, news({ connection: wrong, create: "true" }))).rejects.toThrow(/host key mismatch/);
  });

  test("requires a connection, and refuses unknown properties", async () => {
    expect((await plugin.check(which, { create: "true" })).failures).not.toEqual([]);
    const typo = await plugin.check(which, { connection: { host: "h", privatKey: "x" }, create: "true" });
    expect(typo.failures).not.toEqual([]);
  });

  test("cancel ends the dialing", async () => {
    const other = await start("command");
    const { inputs } = await other.check(which, {
      connection: { ...connection, host: "127.0.0.1", port: 1, dialErrorLimit: -1 },
      create: "true",
    });
    const dialing = expect(other.create(which, inputs)).rejects.toThrow(/cancell?ed/);
    while (engine.status().length === 0) await new Promise((resume) => setTimeout(resume, 20));
    await other.cancel();
    await dialing;
  });
});

describePlugin("random", () => {
  const string = { type: "random:index/randomString:RandomString" };
  const password = { type: "random:index/randomPassword:RandomPassword" };
  let plugin: Plugin;
  beforeAll(async () => (plugin = await start("random")));

  test("creates a string once, and another one for other keepers", async () => {
    const made = await plugin.make(string, { length: 12, special: false, keepers: { a: "1" } });
    expect(made.outputs.result).toMatch(/^[A-Za-z0-9]{12}$/);
    expect(made.id).toBe(made.outputs.result);
    expect((await plugin.diff(string, made, made.inputs)).changes).toBe(false);
    expect((await plugin.read(string, made))?.outputs.result).toBe(made.outputs.result);
    const { inputs } = await plugin.check(string, { ...made.inputs, keepers: { a: "2" } }, made.inputs);
    const diff = await plugin.diff(string, made, inputs);
    expect(diff.changes).toBe(true);
    expect(diff.replaces.length).toBeGreaterThan(0);
    await plugin.delete(string, made);
  });

  test("a password is secret, and a preview does not know it", async () => {
    const made = await plugin.make(password, { length: 16 });
    expect(isSecret(made.outputs.result)).toBe(true);
    expect(made.id).toBe("none");
    const preview = await plugin.make(password, { length: 16 }, { preview: true });
    expect(unwrapSecrets(preview.outputs.result)).toBe(UNKNOWN);
  });
});

describePlugin("tls", () => {
  const privateKey = { type: "tls:index/privateKey:PrivateKey" };
  const selfSigned = { type: "tls:index/selfSignedCert:SelfSignedCert" };
  let plugin: Plugin;
  beforeAll(async () => (plugin = await start("tls")));

  test("a certificate is replaced when it is due for renewal, without a refresh", async () => {
    const key = await plugin.make(privateKey, { algorithm: "ECDSA", ecdsaCurve: "P256" });
    expect(isSecret(key.outputs.privateKeyPem)).toBe(true);
    const news = {
      ...{ privateKeyPem: key.outputs.privateKeyPem, subject: { commonName: "ca" }, allowedUses: ["cert_signing"] },
      ...{ validityPeriodHours: 48, earlyRenewalHours: 24 },
    };
    const made = await plugin.make(selfSigned, news);
    expect(made.outputs).toMatchObject({ readyForRenewal: false, validityEndTime: expect.stringMatching(/^\d{4}-/) });
    expect((await plugin.diff(selfSigned, made, made.inputs)).changes).toBe(false);
    const soon = new Date(Date.now() + 23 * 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
    const aged = { ...made, outputs: { ...made.outputs, validityEndTime: soon } };
    expect((await plugin.diff(selfSigned, aged, made.inputs)).replaces).toContain("readyForRenewal");
    expect((await plugin.read(selfSigned, aged))?.outputs.readyForRenewal).toBe(true);
    const plainKey = await plugin.check(selfSigned, { ...news, privateKeyPem: unwrapSecrets(news.privateKeyPem) });
    expect(isSecret(plainKey.inputs.privateKeyPem)).toBe(true);
    const { inputs } = await plugin.check(selfSigned, { ...news, subject: { commonName: "x" } }, made.inputs);
    expect((await plugin.diff(selfSigned, made, inputs)).replaces.length).toBeGreaterThan(0);
    const shorter = (await plugin.check(selfSigned, { ...news, earlyRenewalHours: 12 }, made.inputs)).inputs;
    const inPlace = await plugin.diff(selfSigned, made, shorter);
    expect(inPlace).toMatchObject({ changes: true, replaces: [] });
  });

  test("a key is unknown in a preview", async () => {
    const { outputs } = await plugin.make(privateKey, { algorithm: "ED25519" }, { preview: true });
    expect(unwrapSecrets(outputs.privateKeyPem)).toBe(UNKNOWN);
  });
});
