import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { omit, pick } from "lodash";
import { patternCovers, differences } from "../diff";
import { isRecord } from "../../host/isRecord";
import { messageOf } from "../../host/labError";
import { PluginError } from "../pluginError";
import { InitializationError } from "../provider";
import type * as api from "../provider";
import { hasUnknowns, unwrapSecret, type Props, type Value } from "../propertyValues";
import { ApiError, KubeClient, NoMatchError, UnreachableError, type Query } from "./kubeClient";
import { CREATE_FIELD_MANAGER, fieldHandoverPatch, isOwnCreation, applyIgnoreChanges } from "./fieldManagers";
import { deletesBeforeReplacement, requiresReplacement } from "./replacement";
import {
  annotateSecrets,
  annotation,
  annotations,
  checkpoint,
  groupVersionKindOf,
  idOf,
  importedInputs,
  isPatch,
  metadataOfId,
  normalize,
  parseCheckpoint,
  prune,
  toObject,
  toProps,
  type KubeObject,
} from "./kubeObject";
import { notReadyReason, waitLimitSeconds } from "./ready";

/** Settings come as booleans or as their text. */
const isTrue = (value: unknown): boolean => value === true || value === "true";

/**
 * Objects of a Kubernetes cluster, as version 4.32 of the published plugin treats them: created by POST, which fails on
 * an object that exists, updated by server-side apply, deleted in the foreground.
 */
export class ObjectProvider implements api.Provider {
  private readonly client: KubeClient;
  private readonly namespace: string | undefined;
  private readonly mutableConfigMaps: boolean;
  private readonly upserts: boolean;

  constructor(
    { kubeconfig, namespace, enableConfigMapMutable, upsertExistingObjects }: Props,
    private readonly host: api.ProviderHost,
  ) {
    this.client = new KubeClient(kubeconfig as string | undefined);
    this.namespace = namespace as string | undefined;
    this.mutableConfigMaps = isTrue(enableConfigMapMutable);
    this.upserts = isTrue(upsertExistingObjects ?? process.env.PULUMI_K8S_UPSERT_EXISTING_OBJECTS);
  }

  async check({ name, type, news, olds, randomseed }: api.CheckRequest) {
    if (type.endsWith("List")) throw new PluginError("list resources cannot be created directly");
    const metadata = { ...objectIn(news.metadata) };
    if (metadata.name === undefined) {
      if (isPatch(type)) throw new PluginError("patch resources require the `.metadata.name` field to be set");
      if (metadata.generateName !== undefined) {
        throw new PluginError("the `.metadata.generateName` field is not supported in Server-Side Apply mode");
      }
      metadata.name = autonameOf(olds) ?? `${name}-${suffixFrom(randomseed)}`;
      metadata.annotations = { ...objectIn(metadata.annotations), [annotations.autonamed]: "true" };
    }
    if (metadata.namespace === undefined && (await this.isNamespaced(toObject(news)))) {
      metadata.namespace = this.namespace ?? this.client.cluster.namespace;
    }
    const inputs = { ...news, metadata };
    const normalized = hasUnknowns(inputs) ? inputs : toProps(normalize(toObject(inputs)));
    return { inputs: annotateSecrets(normalized, inputs), failures: [] };
  }

  diff({ type, olds, news, ignorechangesList }: api.DiffRequest): Promise<api.Diff> {
    const { inputs, live } = parseCheckpoint(olds);
    const before = prune(toProps(normalize(live)), toProps(normalize(toObject(inputs)))) as KubeObject;
    const after = normalize(toObject(news));
    if (after.metadata?.name !== undefined) before.metadata = { ...before.metadata, name: live.metadata?.name };
    // An apply ignores the version of the object; a leftover in the state must not count.
    delete before.metadata?.resourceVersion;
    const changes = differences(toProps(before), toProps(after))
      .filter(({ path }) => !ignorechangesList.some((pattern) => patternCovers(pattern, path)))
      .map((change) => ({
        ...change,
        replace: requiresReplacement(after, change.path, this.mutableConfigMaps, isPatch(type)),
        inputDiff: change.kind === "delete",
      }));
    const replaces = changes.some(({ replace }) => replace);
    return Promise.resolve({ changes, deleteBeforeReplace: replaces && deletesBeforeReplacement(after, live) });
  }

  async create({ urn, type, properties: inputs, preview, timeout }: api.CreateRequest): Promise<api.Created> {
    const asGiven = { id: "", properties: inputs };
    if (preview && hasUnknowns(inputs)) return asGiven;
    const object = toObject(inputs);
    const patch = isPatch(type);
    if (preview && (patch || !(await this.isKnown(object)))) return asGiven;
    const fieldManager = newFieldManager();
    const dryRun: Query = preview ? { dryRun: "All" } : {};
    let live: KubeObject;
    try {
      live = await this.retrying(urn, preview, () =>
        patch || this.upserts
          ? this.apply(object, fieldManager, preview || isForced(object), dryRun)
          : this.client.create(object, { fieldManager: CREATE_FIELD_MANAGER, ...dryRun }),
      );
    } catch (error) {
      if (preview && canWait(error)) return asGiven;
      throw new PluginError(
        `resource ${JSON.stringify(urn)} was not successfully created by the Kubernetes API server: ${explain(error)}`,
      );
    }
    if (preview) return { id: "", properties: checkpoint(inputs, omit(live, "status"), fieldManager) };
    return this.whenReady(live, { urn, inputs, fieldManager }, timeout);
  }

  async update(request: api.UpdateRequest): Promise<Props> {
    const { urn, type, news: inputs, olds, ignorechangesList, preview, timeout } = request;
    if (preview && hasUnknowns(inputs)) return inputs;
    const object = normalize(toObject(inputs));
    if (preview && !(await this.isKnown(object))) return inputs;
    const { live: before, fieldManager = newFieldManager() } = parseCheckpoint(olds);
    try {
      let live = await this.client.get(before);
      const handing = preview || isPatch(type) ? undefined : fieldHandoverPatch(live, fieldManager);
      if (handing) live = await this.client.patch(live, handing);
      const force = isForced(object) || (preview && isOwnCreation(live)) || !live.metadata?.managedFields?.length;
      const wanted = applyIgnoreChanges(object, live, fieldManager, ignorechangesList);
      const applied = await this.apply(wanted, fieldManager, force, preview ? { dryRun: "All" } : {});
      if (preview) return checkpoint(inputs, applied, fieldManager);
      return (await this.whenReady(applied, { urn, inputs, fieldManager }, timeout)).properties;
    } catch (error) {
      if (error instanceof InitializationError) throw error;
      if (preview && error instanceof ApiError && error.code === 403) return inputs;
      throw await this.updateFailure(error, before, { urn, inputs, fieldManager });
    }
  }

  /** With an id alone, as `pulumi import` and `.get()` ask, everything that the program could have set is an input. */
  async read({ id, type, inputs, properties }: api.ReadRequest) {
    const { live: before, fieldManager = newFieldManager() } = parseCheckpoint(properties);
    const known = toObject(inputs);
    const isImport = (known.kind ?? before.kind) === undefined;
    const named = known.kind === undefined ? before : known;
    const target = { ...groupVersionKindOf(type), ...pick(named, "apiVersion", "kind"), metadata: metadataOfId(id) };
    try {
      const live = await this.client.get(target);
      const pruned = isImport ? importedInputs(live) : prune(toProps(normalize(live)), toProps(normalize(known)));
      const liveInputs = annotateSecrets(pruned as Props, inputs);
      const existing = { id, inputs: liveInputs, properties: checkpoint(liveInputs, live, fieldManager) };
      const reason = isImport ? undefined : notReadyReason(live);
      if (reason === undefined) return existing;
      throw new InitializationError(`${idOf(live)} is not ready: ${reason}`, existing);
    } catch (error) {
      if (error instanceof InitializationError) throw error;
      if (isGone(error)) return undefined;
      throw new PluginError(`cannot read ${type} ${id}: ${messageOf(error)}`);
    }
  }

  async delete({ id, type, properties, timeout }: api.DeleteRequest): Promise<void> {
    const { live, inputs, fieldManager = "" } = parseCheckpoint(properties);
    const target = { ...pick(live, "apiVersion", "kind"), metadata: metadataOfId(id) };
    try {
      // Applying nothing but the identity gives up every field.
      if (isPatch(type)) await this.apply(target, fieldManager, false, {});
      else {
        await this.client.delete(target);
        await this.untilGone(target, live.metadata?.uid, waitLimitSeconds(toObject(inputs), timeout));
      }
    } catch (error) {
      if (isGone(error)) return;
      throw new PluginError(`${live.kind} ${id} could not be deleted: ${messageOf(error)}`);
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
        await pause(1000 * 2 ** retry, undefined, { signal: this.host.signal });
      }
    }
  }

  private async apply(object: KubeObject, fieldManager: string, force: boolean, query: Query): Promise<KubeObject> {
    try {
      return await this.client.apply(object, { fieldManager, force: String(force), ...query });
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

  private async whenReady(
    object: KubeObject,
    { urn, inputs, fieldManager }: Goal,
    timeout: number,
  ): Promise<api.Created> {
    let live = object;
    const result = () => ({ id: idOf(live), properties: checkpoint(inputs, live, fieldManager) });
    const deadline = Date.now() + waitLimitSeconds(toObject(inputs), timeout) * 1000;
    for (let reason = notReadyReason(live); reason !== undefined; reason = notReadyReason(live)) {
      const fail = (why: string): never => {
        const message = `resource ${JSON.stringify(urn)} was successfully created, but ${why}: ${reason}`;
        throw new InitializationError(message, result());
      };
      if (Date.now() > deadline) fail("did not become ready in time");
      this.host.status(urn, reason);
      await pause(pollMs, undefined, { signal: this.host.signal }).catch(() => fail("the operation was cancelled"));
      live = await this.client.get(live);
    }
    return result();
  }

  /** An update that the server refused leaves the object as it was; one that cannot even be read keeps the old state. */
  private async updateFailure(error: unknown, before: KubeObject, { urn, inputs, fieldManager }: Goal): Promise<Error> {
    try {
      const live = await this.client.get(before);
      const message = `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live: ${messageOf(error)}`;
      return new InitializationError(message, { id: idOf(live), properties: checkpoint(inputs, live, fieldManager) });
    } catch {
      return new PluginError(`update of resource ${JSON.stringify(urn)} failed: ${messageOf(error)}`);
    }
  }

  private async untilGone(target: KubeObject, uid: string | undefined, seconds: number): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (let wait = 50; ; wait = Math.min(wait * 2, pollMs)) {
      const current = await this.client.get(target);
      if (current.metadata?.uid !== uid) return;
      if (Date.now() > deadline) throw new PluginError(`it is still there after ${seconds} s`);
      await pause(wait, undefined, { signal: this.host.signal });
    }
  }

  private async isKnown(object: KubeObject): Promise<boolean> {
    try {
      return (await this.client.resource(object)) !== undefined;
    } catch (error) {
      if (error instanceof UnreachableError) return false;
      throw error;
    }
  }

  private async isNamespaced(object: KubeObject): Promise<boolean> {
    try {
      return (await this.client.resource(object))?.namespaced ?? true;
    } catch (error) {
      if (error instanceof UnreachableError) return !clusterScoped.includes(object.kind ?? "");
      throw error;
    }
  }
}

/** What an object is made or changed to be. */
interface Goal {
  urn: string;
  inputs: Props;
  fieldManager: string;
}

const pollMs = 500;
const maxRetries = 5;

/** Asked for only when no server can tell. */
const clusterScoped = [
  "ClusterRole",
  "ClusterRoleBinding",
  "Namespace",
  "Node",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
];

function objectIn(value: Value | undefined): Props {
  const revealed = unwrapSecret(value);
  return isRecord(revealed) ? revealed : {};
}

function autonameOf(olds: Props): string | undefined {
  const old = toObject(olds);
  return annotation(old, annotations.autonamed) === "true" ? old.metadata?.name : undefined;
}

/** The engine gives a preview and its update the same seed. */
function suffixFrom(seed: string | Uint8Array): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, 8);
}

function newFieldManager(): string {
  return `${CREATE_FIELD_MANAGER}-${randomBytes(4).toString("hex")}`;
}

function isForced(object: KubeObject): boolean {
  return annotation(object, annotations.patchForce) === "true";
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
