/**
 * The contract of the Kubernetes plugin: how it creates, changes, reads, previews and deletes objects, and parts of objects.
 *
 * @independent
 */
import { isSecret, secret, UNKNOWN, unwrapSecrets } from "../protocolValues";
import {
  account,
  check,
  config,
  configMap,
  describeKubernetes,
  exists,
  live,
  make,
  metadata,
  NAMESPACE,
  of,
  patch,
  plugin,
  secretObject,
} from "./kubernetesContract";
import { lab, start } from "./pluginContract";

describeKubernetes(() => {
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
});
