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
import { ApiError, explainCreateError, isMissing, mayPassLater, UnreachableError } from "./apiErrors";
import { KubeClient, type Query } from "./kubeClient";
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
import { awaitGone, awaitReady, type Desired } from "./waiting";

/** Whether a provider setting is on. Settings are booleans or text. */
const isTrue = (value: unknown): boolean => value === true || value === "true";

/**
 * The resources of a Kubernetes cluster, managed like by version 4.32 of the published plugin. It creates an object by POST, which fails
 * when the object exists, updates by server-side apply, and deletes in the foreground.
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
    // The state may contain a resourceVersion. An apply does not use it, so it is no difference.
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
      if (preview && mayPassLater(error)) return asGiven;
      throw new PluginError(
        `resource ${JSON.stringify(urn)} was not successfully created by the Kubernetes API server: ${explainCreateError(error)}`,
      );
    }
    if (preview) return { id: "", properties: checkpoint(inputs, omit(live, "status"), fieldManager) };
    return awaitReady(this.client, this.host, live, { urn, inputs, fieldManager }, timeout);
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
      return (await awaitReady(this.client, this.host, applied, { urn, inputs, fieldManager }, timeout)).properties;
    } catch (error) {
      if (error instanceof InitializationError) throw error;
      if (preview && error instanceof ApiError && error.code === 403) return inputs;
      throw await this.updateFailure(error, before, { urn, inputs, fieldManager });
    }
  }

  /** Reads an object. `pulumi import` and `.get()` give only an id; then all fields that a program could have set are inputs. */
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
      if (isMissing(error)) return undefined;
      throw new PluginError(`cannot read ${type} ${id}: ${messageOf(error)}`);
    }
  }

  async delete({ id, type, properties, timeout }: api.DeleteRequest): Promise<void> {
    const { live, inputs, fieldManager = "" } = parseCheckpoint(properties);
    const target = { ...pick(live, "apiVersion", "kind"), metadata: metadataOfId(id) };
    try {
      // An apply without fields gives up all fields of the field manager.
      if (isPatch(type)) await this.apply(target, fieldManager, false, {});
      else {
        await this.client.delete(target);
        await awaitGone(
          this.client,
          this.host,
          target,
          live.metadata?.uid,
          waitLimitSeconds(toObject(inputs), timeout),
        );
      }
    } catch (error) {
      if (isMissing(error)) return;
      throw new PluginError(`${live.kind} ${id} could not be deleted: ${messageOf(error)}`);
    }
  }

  /** Repeats a create while its namespace or kind is missing, because the same operation may be creating them. */
  private async retrying(urn: string, preview: boolean, attempt: () => Promise<KubeObject>): Promise<KubeObject> {
    for (let retry = 0; ; retry++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isMissing(error) || preview || retry === MAX_RETRIES) throw error;
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

  /** The error of a failed update. It carries the object's live state for the engine, unless the object cannot be read. */
  private async updateFailure(
    error: unknown,
    before: KubeObject,
    { urn, inputs, fieldManager }: Desired,
  ): Promise<Error> {
    try {
      const live = await this.client.get(before);
      const message = `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live: ${messageOf(error)}`;
      return new InitializationError(message, { id: idOf(live), properties: checkpoint(inputs, live, fieldManager) });
    } catch {
      return new PluginError(`update of resource ${JSON.stringify(urn)} failed: ${messageOf(error)}`);
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
      if (error instanceof UnreachableError) return !CLUSTER_SCOPED_KINDS.includes(object.kind ?? "");
      throw error;
    }
  }
}

const MAX_RETRIES = 5;

/** Kinds without a namespace, for when the API server does not answer. */
const CLUSTER_SCOPED_KINDS = [
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

/** The suffix of an automatic name. Preview and update get the same seed from the engine, so they get the same name. */
function suffixFrom(seed: string | Uint8Array): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, 8);
}

function newFieldManager(): string {
  return `${CREATE_FIELD_MANAGER}-${randomBytes(4).toString("hex")}`;
}

function isForced(object: KubeObject): boolean {
  return annotation(object, annotations.patchForce) === "true";
}
