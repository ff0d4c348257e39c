import { randomBytes } from "node:crypto";
import { parse as parseYaml } from "yaml";
import { diffProps, type PropertyDiff } from "../diff";
import { EngineError, messageOf } from "../errors";
import { contains, parsePath } from "../paths";
import { isRecord } from "../../system/isRecord";
import { hasUnknowns, plain, reveal, Unknown, without, type Props } from "../values";
import {
  InitializationError,
  type CheckFailure,
  type CheckRequest,
  type Created,
  type CreateRequest,
  type Diff,
  type DiffRequest,
  type Existing,
  type ExistingRequest,
  type Package,
  type Provider,
  type UpdateRequest,
} from "../provider";
import { ApiError, KubeClient, NoMatchError, UnreachableError, type Query } from "./client";
import { creator, handOver, isOwnCreation, withIgnored } from "./fieldManagers";
import { deletesFirst, isForcedNew, type Mutability } from "./forceNew";
import {
  annotateSecrets,
  annotation,
  annotations,
  apiVersionOf,
  checkpoint,
  identify,
  idOf,
  isPatch,
  kindOf,
  label,
  nameFromId,
  normalize,
  parseCheckpoint,
  prune,
  toObject,
  toProps,
  type KubeObject,
} from "./object";
import { notReady, waitSeconds } from "./ready";

/**
 * Objects of a Kubernetes cluster, the way provider 4.32 treats them: created by POST (which fails on an object that
 * exists), updated by server-side apply, deleted in the foreground.
 */
class KubernetesProvider implements Provider {
  private readonly client: KubeClient;
  private readonly mutable: Mutability;
  private readonly namespace: string | undefined;
  private readonly forceAlways: boolean;

  constructor(config: Props) {
    const text = (key: string): string | undefined => {
      const value = plain(config[key] ?? null);
      return typeof value === "string" && value !== "" ? value : undefined;
    };
    this.client = new KubeClient({
      kubeconfig: text("kubeconfig"),
      context: text("context"),
      cluster: text("cluster"),
    });
    this.mutable = { secrets: isTrue(config.enableSecretMutable), configMaps: isTrue(config.enableConfigMapMutable) };
    this.namespace = text("namespace");
    this.forceAlways = isTrue(config.enablePatchForce);
  }

  async check({ urn, name, type, news, olds }: CheckRequest) {
    const { apiVersion, kind } = identify(type);
    const failures: CheckFailure[] = [];
    if (kind.endsWith("List")) failures.push({ reason: "list resources cannot be created directly" });
    const inputs: Props = { apiVersion, kind: kind.replace(/Patch$/, ""), ...news };
    const metadata: Props = { ...(reveal(inputs.metadata) as Props | null) };
    const patch = isPatch(urn, kindOf(toObject(inputs)));
    if (patch && metadata.name === undefined)
      failures.push({ reason: "patch resources require the `.metadata.name` field to be set" });
    if (metadata.generateName !== undefined) {
      failures.push({ reason: "the `.metadata.generateName` field is not supported in Server-Side Apply mode" });
    }
    if (metadata.name === undefined && !patch) {
      const oldName = olds && isAutonamed(olds) ? toObject(olds).metadata?.name : undefined;
      metadata.name = oldName ?? `${name}-${randomBytes(4).toString("hex")}`;
      metadata.annotations = { ...(reveal(metadata.annotations) as Props | null), [annotations.autonamed]: "true" };
    }
    if (
      metadata.namespace === undefined &&
      (await this.isNamespaced(apiVersionOf(toObject(inputs)), kindOf(toObject(inputs))))
    ) {
      metadata.namespace = this.namespace ?? (await this.client.defaultNamespace());
    }
    return { inputs: { ...inputs, metadata }, failures };
  }

  diff({ urn, oldOutputs, newInputs, ignoreChanges }: DiffRequest): Promise<Diff> {
    const { inputs: oldInputs, live } = parseCheckpoint(oldOutputs);
    const shape = normalize(toObject(oldInputs));
    const before = prune(normalize(live), shape) as KubeObject;
    const news = normalize(plain(newInputs) as unknown as KubeObject);
    if (news.metadata?.name !== undefined) before.metadata = { ...before.metadata, name: live.metadata?.name };
    // An apply ignores the version of the object; a leftover in the state must not count.
    delete before.metadata?.resourceVersion;
    const ignored = ignoreChanges.map(parsePath);
    const patch = isPatch(urn, kindOf(news));
    const keys: Record<string, PropertyDiff> = {};
    for (const [path, change] of Object.entries(diffProps(toProps(before), toProps(news)))) {
      if (ignored.some((pattern) => contains(pattern, parsePath(path)))) continue;
      keys[path] = { ...change, replace: isForcedNew(news, path, this.mutable, patch) };
    }
    const replace = Object.values(keys).some((change) => change.replace);
    const deleteBeforeReplace = replace && deletesFirst(news, live);
    return Promise.resolve({ changes: Object.keys(keys).length > 0, keys, deleteBeforeReplace });
  }

  async create({ urn, inputs, preview, timeout }: CreateRequest): Promise<Created> {
    const asGiven = { id: "", outputs: inputs };
    const object = toObject(inputs);
    const patch = isPatch(urn, kindOf(object));
    if (preview && (hasUnknowns(inputs) || patch || !(await this.exists(object)))) return asGiven;
    const fieldManager = annotation(object, annotations.patchFieldManager) ?? newFieldManager();
    const dryRun = preview ? { dryRun: "All" } : {};
    let live: KubeObject;
    try {
      live = patch
        ? await this.apply(object, fieldManager, this.isForced(object), dryRun)
        : await this.post(object, { fieldManager: creator, ...dryRun });
    } catch (error) {
      if (preview && canWait(error)) return asGiven;
      throw new EngineError(
        `${label(urn, object)} was not successfully created by the Kubernetes API server: ${explain(error)}`,
      );
    }
    if (preview) {
      return { id: "", outputs: checkpoint(inputs, without(live, "status"), fieldManager) };
    }
    return this.whenReady(urn, live, inputs, fieldManager, timeout);
  }

  async update({
    urn,
    inputs,
    oldOutputs,
    ignoreChanges,
    preview,
    timeout,
  }: UpdateRequest): Promise<{ outputs: Props }> {
    const object = normalize(toObject(inputs));
    if (preview && (hasUnknowns(inputs) || !(await this.exists(object)))) return { outputs: inputs };
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
      return await this.whenReady(urn, applied, inputs, fieldManager, timeout);
    } catch (error) {
      if (error instanceof InitializationError) throw error;
      if (preview && error instanceof ApiError && error.code === 403) return { outputs: inputs };
      throw await this.updateFailure(urn, error, before, name, inputs, fieldManager);
    }
  }

  async read({ urn, id, inputs, outputs }: ExistingRequest): Promise<Existing | undefined> {
    const { live: before, fieldManager } = parseCheckpoint(outputs);
    const oldInputs = toObject(inputs);
    const target = { ...oldInputs, metadata: { ...oldInputs.metadata, namespace: before.metadata?.namespace } };
    try {
      const live = await this.client.get(target, nameFromId(id));
      const liveInputs = annotateSecrets(toProps(prune(normalize(live), normalize(oldInputs)) as KubeObject), inputs);
      return {
        id,
        inputs: keepForm(inputs, liveInputs),
        outputs: checkpoint(keepForm(inputs, liveInputs), live, fieldManager ?? ""),
      };
    } catch (error) {
      if (isGone(error)) return undefined;
      throw new EngineError(`cannot read ${label(urn, before)}: ${messageOf(error)}`);
    }
  }

  async delete({ urn, id, inputs, outputs, timeout }: ExistingRequest): Promise<void> {
    const { live, fieldManager } = parseCheckpoint(outputs);
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
      throw new EngineError(`${label(urn, live)} could not be deleted: ${messageOf(error)}`);
    }
  }

  /** Like the provider, tries again a few times: a create may depend on what is just being set up. */
  private async post(object: KubeObject, query: Query): Promise<KubeObject> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.client.create(object, query);
      } catch (error) {
        const isPassing = error instanceof NoMatchError || (error instanceof ApiError && error.code === 404);
        if (!isPassing || query.dryRun || attempt === maxRetries) throw error;
        await sleep(1000 * 2 ** attempt);
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

  private async whenReady(
    urn: string,
    object: KubeObject,
    inputs: Props,
    fieldManager: string,
    timeout: number | undefined,
  ): Promise<Created> {
    let live = object;
    const deadline = Date.now() + waitSeconds(toObject(inputs), timeout) * 1000;
    for (let reason = notReady(live); reason !== undefined; reason = notReady(live)) {
      if (Date.now() > deadline) {
        const result = { id: idOf(live), outputs: checkpoint(inputs, live, fieldManager) };
        const message = `${label(urn, live)} was made, but did not become ready in time: ${reason}`;
        throw new InitializationError(message, result, [reason]);
      }
      await sleep(pollMs);
      live = await this.client.get(live, live.metadata?.name ?? "");
    }
    return { id: idOf(live), outputs: checkpoint(inputs, live, fieldManager) };
  }

  /** An update that the server refused leaves the object as it was; one that cannot even be read keeps the old state. */
  private async updateFailure(
    urn: string,
    error: unknown,
    before: KubeObject,
    name: string,
    inputs: Props,
    fieldManager: string,
  ): Promise<Error> {
    try {
      const live = await this.client.get(before, name);
      const result = { id: idOf(live), outputs: checkpoint(inputs, live, fieldManager) };
      const message = `the Kubernetes API server reported that ${label(urn, live)} failed to fully initialize or become live: ${messageOf(error)}`;
      return new InitializationError(message, result, [messageOf(error)]);
    } catch {
      return new EngineError(`update of ${label(urn, before)} failed: ${messageOf(error)}`);
    }
  }

  private async untilGone(live: KubeObject, name: string, seconds: number): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (let wait = 50; ; wait = Math.min(wait * 2, pollMs)) {
      const current = await this.client.get(live, name);
      if (current.metadata?.uid !== live.metadata?.uid) return;
      if (Date.now() > deadline) throw new EngineError(`it is still there after ${seconds} s`);
      await sleep(wait);
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

  private async isNamespaced(apiVersion: string, kind: string): Promise<boolean> {
    try {
      return (await this.client.resource(apiVersion, kind))?.namespaced ?? true;
    } catch (error) {
      if (error instanceof UnreachableError) return !clusterScoped.has(kind);
      throw error;
    }
  }
}

const pollMs = 500;
const maxRetries = 5;

/** Only asked for when no server can tell. */
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

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isTrue(value: Props[string] | undefined): boolean {
  const known = plain(value ?? null);
  return known === true || known === "true";
}

function isAutonamed(inputs: Props): boolean {
  return annotation(toObject(inputs), annotations.autonamed) === "true";
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
    `${error.message}\n\nThe resource already exists in the cluster: it belongs to somebody else, or was left behind. ` +
    "Delete it, or manage some of its fields with a Patch resource."
  );
}

/** A Secret's inputs stay in `stringData` where the program writes them so, unless somebody changed them. */
function keepForm(inputs: Props, live: Props): Props {
  if (inputs.stringData === undefined) return live;
  const same =
    Object.keys(diffProps(toProps(normalize(toObject(inputs))), toProps(normalize(toObject(live))))).length === 0;
  return same ? inputs : live;
}

/** The cluster that a configuration leads to; another one means other resources. */
function clusterOf(inputs: Props): unknown {
  const kubeconfig = plain(inputs.kubeconfig ?? null);
  if (typeof kubeconfig !== "string") return undefined;
  try {
    const config: unknown = parseYaml(kubeconfig);
    if (!isRecord(config)) return undefined;
    const named = (list: unknown, name: unknown): unknown =>
      Array.isArray(list) ? list.filter(isRecord).find((item) => item.name === name) : undefined;
    const context = plain(inputs.context ?? null) ?? config["current-context"];
    const chosen = named(config.contexts, context) as { context?: { cluster?: string } } | undefined;
    return named(config.clusters, plain(inputs.cluster ?? null) ?? chosen?.context?.cluster);
  } catch {
    return undefined;
  }
}

function diffConfig(oldInputs: Props, newInputs: Props): Diff {
  const keys = Object.fromEntries(
    Object.entries(diffProps(oldInputs, newInputs)).map(([path, change]) => [path, { ...change }]),
  );
  const changes = Object.keys(keys).length > 0;
  const identifier = [plain(oldInputs.clusterIdentifier ?? null), plain(newInputs.clusterIdentifier ?? null)];
  const identityKnown = identifier[0] !== null && identifier[1] !== null;
  const mark = (names: string[]): void => {
    for (const name of names) if (keys[name]) keys[name].replace = true;
  };
  if (identityKnown) {
    mark(["clusterIdentifier"]);
    return { changes, keys };
  }
  const sources = ["kubeconfig", "context", "cluster"];
  const isUnknown = sources.some((name) => reveal(newInputs[name]) instanceof Unknown);
  const [before, after] = [clusterOf(oldInputs), clusterOf(newInputs)];
  const moved = before !== undefined && after !== undefined && JSON.stringify(before) !== JSON.stringify(after);
  if (isUnknown || moved) mark(sources);
  return { changes, keys };
}

export const kubernetes: Package = {
  types: (type) => /^kubernetes:[\w.]+\/v\w+:\w+$/.test(type) && !type.startsWith("kubernetes:helm"),
  describeTypes: ["kubernetes:<group>/<version>:<Kind>"],
  configure: (inputs) => new KubernetesProvider(inputs),
  diffConfig,
};
