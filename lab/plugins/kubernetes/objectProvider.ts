import { createHash, randomBytes } from "node:crypto";
import { diffProps, type PropertyDiff } from "../diff";
import { messageOf, PluginError } from "../errors";
import { contains, parsePath } from "../paths";
import { pause } from "../pause";
import { InitializationError } from "../provider";
import type * as api from "../provider";
import { hasUnknowns, isTrue, plain, reveal, without, type Props } from "../values";
import { ApiError, KubeClient, NoMatchError, UnreachableError, type Query } from "./client";
import { creator, handOver, isOwnCreation, withIgnored } from "./fieldManagers";
import { deletesFirst, isForcedNew, type Mutability } from "./forceNew";
import type { ClusterSettings } from "./kubeconfig";
import {
  annotateSecrets,
  annotation,
  annotations,
  apiVersionOf,
  checkpoint,
  identify,
  idOf,
  importedInputs,
  isPatch,
  kindOf,
  label,
  nameFromId,
  namespaceFromId,
  normalize,
  parseCheckpoint,
  prune,
  toObject,
  toProps,
  type KubeObject,
} from "./object";
import { notReady, waitSeconds } from "./ready";

function textOf(config: Props, key: string): string | undefined {
  const value = plain(config[key] ?? null);
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function clusterSettings(config: Props): ClusterSettings {
  return {
    kubeconfig: textOf(config, "kubeconfig"),
    context: textOf(config, "context"),
    cluster: textOf(config, "cluster"),
  };
}

/**
 * Objects of a Kubernetes cluster, as version 4.32 of the published plugin treats them: created by POST, which fails on
 * an object that exists, updated by server-side apply, deleted in the foreground.
 */
export class ObjectProvider implements api.Provider {
  private readonly client: KubeClient;
  private readonly mutable: Mutability;
  private readonly namespace: string | undefined;
  private readonly forceAlways: boolean;
  private readonly upserts: boolean;

  constructor(
    config: Props,
    private readonly host: api.ProviderHost,
  ) {
    const isOn = (option: string, variable: string): boolean =>
      isTrue(config[option] ?? process.env[`PULUMI_K8S_${variable}`]);
    this.client = new KubeClient(clusterSettings(config));
    this.mutable = {
      secrets: isOn("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
      configMaps: isOn("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
    };
    this.namespace = textOf(config, "namespace");
    this.forceAlways = isOn("enablePatchForce", "ENABLE_PATCH_FORCE");
    this.upserts = isOn("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS");
  }

  async check({ urn, name, type, news, olds, randomSeed }: api.CheckRequest) {
    if (type.endsWith("List")) throw new PluginError("list resources cannot be created directly");
    const metadata: Props = { ...(reveal(news.metadata) as Props | null) };
    const patch = isPatch(urn, textOf(news, "kind") ?? "");
    if (patch && metadata.name === undefined) {
      throw new PluginError("patch resources require the `.metadata.name` field to be set");
    }
    if (metadata.name === undefined && metadata.generateName !== undefined) {
      throw new PluginError("the `.metadata.generateName` field is not supported in Server-Side Apply mode");
    }
    if (metadata.name === undefined) {
      metadata.name = autonameOf(olds) ?? `${name}-${suffixFrom(randomSeed)}`;
      metadata.annotations = { ...(reveal(metadata.annotations) as Props | null), [annotations.autonamed]: "true" };
    }
    if (metadata.namespace === undefined && (await this.isNamespaced(news))) {
      metadata.namespace = this.namespace ?? this.client.defaultNamespace();
    }
    const inputs = { ...news, metadata };
    const normalized = hasUnknowns(inputs) ? inputs : toProps(normalize(toObject(inputs)));
    return { inputs: annotateSecrets(normalized, inputs), failures: [] };
  }

  diff({ urn, oldOutputs, newInputs, ignoreChanges }: api.DiffRequest): Promise<api.Diff> {
    const { inputs: oldInputs, live } = parseCheckpoint(oldOutputs);
    const shape = normalize(toObject(oldInputs));
    const before = prune(normalize(live), shape) as KubeObject;
    const news = normalize(toObject(newInputs));
    if (news.metadata?.name !== undefined) before.metadata = { ...before.metadata, name: live.metadata?.name };
    // An apply ignores the version of the object; a leftover in the state must not count.
    delete before.metadata?.resourceVersion;
    const ignored = ignoreChanges.map(parsePath);
    const patch = isPatch(urn, kindOf(news));
    const keys: Record<string, PropertyDiff> = {};
    for (const [path, change] of Object.entries(diffProps(toProps(before), toProps(news)))) {
      if (ignored.some((pattern) => contains(pattern, parsePath(path)))) continue;
      const replace = isForcedNew(news, path, this.mutable, patch);
      keys[path] = { ...change, replace, inputDiff: change.kind === "delete" };
    }
    const replaces = Object.values(keys).some(({ replace }) => replace);
    return Promise.resolve({ keys, deleteBeforeReplace: replaces && deletesFirst(news, live) });
  }

  async create({ urn, inputs, preview, timeout }: api.CreateRequest): Promise<api.Created> {
    const asGiven = { id: "", outputs: inputs };
    if (preview && hasUnknowns(inputs)) return asGiven;
    const object = toObject(inputs);
    const patch = isPatch(urn, kindOf(object));
    if (preview && (patch || !(await this.exists(object)))) return asGiven;
    const fieldManager = annotation(object, annotations.patchFieldManager) ?? newFieldManager();
    const dryRun = preview ? { dryRun: "All" } : {};
    let live: KubeObject;
    try {
      live = await this.retrying(urn, preview, () =>
        patch || this.upserts
          ? this.apply(object, fieldManager, preview || this.isForced(object), dryRun)
          : this.client.create(object, { fieldManager: creator, ...dryRun }),
      );
    } catch (error) {
      if (preview && canWait(error)) return asGiven;
      throw new PluginError(
        `resource ${JSON.stringify(urn)} was not successfully created by the Kubernetes API server: ${explain(error)}`,
      );
    }
    if (preview) return { id: "", outputs: checkpoint(inputs, without(live, "status"), fieldManager) };
    return this.whenReady(live, { urn, inputs, fieldManager, timeout });
  }

  async update(request: api.UpdateRequest): Promise<{ outputs: Props }> {
    const { urn, inputs, oldOutputs, ignoreChanges, preview, timeout } = request;
    if (preview && hasUnknowns(inputs)) return { outputs: inputs };
    const object = normalize(toObject(inputs));
    if (preview && !(await this.exists(object))) return { outputs: inputs };
    const { live: before, fieldManager: kept } = parseCheckpoint(oldOutputs);
    const name = before.metadata?.name ?? object.metadata?.name ?? "";
    const fieldManager = annotation(object, annotations.patchFieldManager) ?? kept ?? newFieldManager();
    try {
      let live = await this.client.get(before, name);
      const handing = preview || isPatch(urn, kindOf(object)) ? undefined : handOver(live, fieldManager);
      if (handing) live = await this.client.patch("json", live, name, handing, {});
      const force = this.isForced(object) || (preview && isOwnCreation(live)) || !live.metadata?.managedFields?.length;
      const wanted = withIgnored(object, live, fieldManager, ignoreChanges);
      const applied = await this.apply(wanted, fieldManager, force, preview ? { dryRun: "All" } : {});
      if (preview) return { outputs: checkpoint(inputs, applied, fieldManager) };
      if (kept !== undefined && kept !== fieldManager) await this.relinquish(applied, kept);
      return await this.whenReady(applied, { urn, inputs, fieldManager, timeout });
    } catch (error) {
      if (error instanceof InitializationError) throw error;
      if (preview && error instanceof ApiError && error.code === 403) return { outputs: inputs };
      throw await this.updateFailure(error, before, { urn, inputs, fieldManager });
    }
  }

  /** With an id alone, as `pulumi import` and `.get()` ask, everything that the program could have set is an input. */
  async read({ urn, id, type, inputs, outputs }: api.ExistingRequest): Promise<api.Existing | undefined> {
    const { live: before, fieldManager = newFieldManager() } = parseCheckpoint(outputs);
    const { apiVersion, kind } = identify(type);
    const known = toObject(inputs);
    const isImport = known.kind === undefined && before.kind === undefined;
    const target: KubeObject = {
      apiVersion: known.apiVersion ?? before.apiVersion ?? apiVersion,
      kind: known.kind ?? before.kind ?? kind.replace(/Patch$/, ""),
      metadata: { namespace: known.metadata?.namespace ?? namespaceFromId(id) },
    };
    try {
      const live = await this.client.get(target, nameFromId(id));
      const shape = isImport ? importedInputs(live) : (prune(normalize(live), normalize(known)) as KubeObject);
      const liveInputs = annotateSecrets(toProps(shape), inputs);
      const existing = { id, inputs: liveInputs, outputs: checkpoint(liveInputs, live, fieldManager) };
      const reason = isImport ? undefined : notReady(live);
      if (reason === undefined) return existing;
      throw new InitializationError(`${label(urn, live)} is not ready: ${reason}`, existing, [reason]);
    } catch (error) {
      if (error instanceof InitializationError) throw error;
      if (isGone(error)) return undefined;
      throw new PluginError(`cannot read ${label(urn, before)}: ${messageOf(error)}`);
    }
  }

  async delete({ urn, id, outputs, timeout }: api.ExistingRequest): Promise<void> {
    const { live, inputs, fieldManager } = parseCheckpoint(outputs);
    const name = nameFromId(id);
    try {
      if (isPatch(urn, kindOf(live))) {
        await this.relinquish(live, fieldManager ?? "");
        return;
      }
      const object = toObject(inputs);
      const policy = annotation(object, annotations.deletionPropagationPolicy) ?? "foreground";
      await this.client.delete(live, name, policy.charAt(0).toUpperCase() + policy.slice(1));
      await this.untilGone(live, name, waitSeconds(object, timeout));
    } catch (error) {
      if (isGone(error)) return;
      throw new PluginError(`${label(urn, live)} could not be deleted: ${messageOf(error)}`);
    }
  }

  /** A create may depend on a namespace or a kind that is only just being set up. */
  private async retrying(urn: string, preview: boolean, attempt: () => Promise<KubeObject>): Promise<KubeObject> {
    for (let retry = 0; ; retry++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isGone(error) || preview || retry === maxRetries) throw error;
        this.host.status(urn, `Retry #${retry}; creation failed: ${messageOf(error)}`);
        await pause(1000 * 2 ** retry, this.host.signal);
      }
    }
  }

  private async apply(object: KubeObject, fieldManager: string, force: boolean, query: Query) {
    try {
      const options = { fieldManager, force: String(force), ...query };
      return await this.client.patch("apply", object, object.metadata?.name ?? "", object, options);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 409) throw error;
      throw new ApiError(
        409,
        error.reason,
        "server-side apply field conflict detected\n" +
          `The resource managed by field manager "${fieldManager}" had an apply conflict: ${error.message}`,
      );
    }
  }

  /** Applying nothing but the identity gives up every field. */
  private async relinquish(object: KubeObject, fieldManager: string): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const identity = { apiVersion, kind, metadata: { name: metadata?.name, namespace: metadata?.namespace } };
    await this.apply(identity, fieldManager, false, {});
  }

  private isForced(object: KubeObject): boolean {
    return this.forceAlways || annotation(object, annotations.patchForce) === "true";
  }

  private async whenReady(object: KubeObject, { urn, inputs, fieldManager, timeout }: Goal): Promise<api.Created> {
    let live = object;
    const result = () => ({ id: idOf(live), outputs: checkpoint(inputs, live, fieldManager) });
    const deadline = Date.now() + waitSeconds(toObject(inputs), timeout) * 1000;
    for (let reason = notReady(live); reason !== undefined; reason = notReady(live)) {
      const fail = (why: string): never => {
        const message = `resource ${JSON.stringify(urn)} was successfully created, but ${why}: ${reason}`;
        throw new InitializationError(message, result(), [message]);
      };
      if (Date.now() > deadline) fail("did not become ready in time");
      this.host.status(urn, reason);
      await pause(pollMs, this.host.signal).catch(() => fail("the operation was cancelled"));
      live = await this.client.get(live, live.metadata?.name ?? "");
    }
    return result();
  }

  /** An update that the server refused leaves the object as it was; one that cannot even be read keeps the old state. */
  private async updateFailure(error: unknown, before: KubeObject, { urn, inputs, fieldManager }: Goal): Promise<Error> {
    try {
      const live = await this.client.get(before, before.metadata?.name ?? "");
      const result = { id: idOf(live), outputs: checkpoint(inputs, live, fieldManager) };
      const message = `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live: ${messageOf(error)}`;
      return new InitializationError(message, result, [message]);
    } catch {
      return new PluginError(`update of resource ${JSON.stringify(urn)} failed: ${messageOf(error)}`);
    }
  }

  private async untilGone(live: KubeObject, name: string, seconds: number): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (let wait = 50; ; wait = Math.min(wait * 2, pollMs)) {
      const current = await this.client.get(live, name);
      if (current.metadata?.uid !== live.metadata?.uid) return;
      if (Date.now() > deadline) throw new PluginError(`it is still there after ${seconds} s`);
      await pause(wait, this.host.signal);
    }
  }

  private async exists(object: KubeObject): Promise<boolean> {
    try {
      return (await this.client.resource(apiVersionOf(object), kindOf(object))) !== undefined;
    } catch (error) {
      if (error instanceof UnreachableError) return false;
      throw error;
    }
  }

  private async isNamespaced(inputs: Props): Promise<boolean> {
    const [apiVersion = "v1", kind = ""] = [textOf(inputs, "apiVersion"), textOf(inputs, "kind")];
    try {
      return (await this.client.resource(apiVersion, kind))?.namespaced ?? true;
    } catch (error) {
      if (error instanceof UnreachableError) return !clusterScoped.has(kind);
      throw error;
    }
  }
}

/** What an object is made or changed to be. */
interface Goal {
  urn: string;
  inputs: Props;
  fieldManager: string;
  timeout?: number;
}

const pollMs = 500;
const maxRetries = 5;

/** Asked for only when no server can tell. */
const clusterScoped = new Set([
  "ClusterRole",
  "ClusterRoleBinding",
  "Namespace",
  "Node",
  "PersistentVolume",
  "StorageClass",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
]);

function autonameOf(olds: Props): string | undefined {
  const old = toObject(olds);
  return annotation(old, annotations.autonamed) === "true" ? old.metadata?.name : undefined;
}

/** The engine gives a preview and its update the same seed. */
function suffixFrom(seed: Uint8Array): string {
  const source = seed.length > 0 ? seed : randomBytes(16);
  return createHash("sha256").update(source).digest("hex").slice(0, 8);
}

function newFieldManager(): string {
  return `${creator}-${randomBytes(4).toString("hex")}`;
}

/** What a preview cannot decide: an object in its way may be gone by then, a namespace may be there. */
function canWait(error: unknown): boolean {
  if (!(error instanceof ApiError)) return error instanceof UnreachableError;
  const isMissingNamespace = error.code === 404 && /namespaces? ".*" not found/.test(error.message);
  return error.code === 403 || error.reason === "AlreadyExists" || isMissingNamespace;
}

function isGone(error: unknown): boolean {
  return error instanceof NoMatchError || (error instanceof ApiError && error.code === 404);
}

function explain(error: unknown): string {
  if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") return messageOf(error);
  return (
    `${error.message}\n\nThe resource already exists in the cluster. Delete it, adopt it by \`pulumi import\`, ` +
    "or manage some of its fields by a Patch resource."
  );
}
