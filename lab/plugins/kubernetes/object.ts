import { nameOf, typeOf } from "../urn";
import { asSecret, isObject, mapValues, plain, Secret, Unknown, without, type Props, type Value } from "../values";

/** A Kubernetes object as JSON. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: Metadata;
  [property: string]: unknown;
}

interface Metadata {
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  annotations?: Record<string, string>;
  managedFields?: ManagedField[];
  [property: string]: unknown;
}

export interface ManagedField {
  manager: string;
  operation: "Apply" | "Update";
  subresource?: string;
  fieldsV1: Record<string, unknown>;
  [property: string]: unknown;
}

export const annotations = {
  autonamed: "pulumi.com/autonamed",
  patchForce: "pulumi.com/patchForce",
  patchFieldManager: "pulumi.com/patchFieldManager",
  skipAwait: "pulumi.com/skipAwait",
  timeoutSeconds: "pulumi.com/timeoutSeconds",
  deletionPropagationPolicy: "pulumi.com/deletionPropagationPolicy",
} as const;

export function toObject(props: Props): KubeObject {
  return plain(props) as unknown as KubeObject;
}

export function toProps(object: KubeObject): Props {
  return object as unknown as Props;
}

export function annotation(object: KubeObject, name: string): string | undefined {
  return object.metadata?.annotations?.[name];
}

export function apiVersionOf(object: KubeObject): string {
  return object.apiVersion ?? "v1";
}

export function kindOf(object: KubeObject): string {
  return object.kind ?? "";
}

/** `namespace/name`, as the provider's ids read. */
export function idOf(object: KubeObject): string {
  const { namespace, name = "" } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

export function nameFromId(id: string): string {
  return id.slice(id.lastIndexOf("/") + 1);
}

export function namespaceFromId(id: string): string | undefined {
  return id.includes("/") ? id.slice(0, id.lastIndexOf("/")) : undefined;
}

/** `kubernetes:rbac.authorization.k8s.io/v1:Role` → `rbac.authorization.k8s.io/v1`, `Role`. */
export function identify(type: string): { apiVersion: string; kind: string } {
  const [, groupVersion = "", kind = ""] = type.split(":");
  return { apiVersion: groupVersion.replace(/^core\//, ""), kind };
}

/** ConfigMapPatch and the like: some fields of an object that somebody else owns. */
export function isPatch(urn: string, kind: string): boolean {
  return identify(typeOf(urn)).kind === `${kind}Patch`;
}

/** Marks as secret what was secret where it came from, and the data of a Secret in any case. */
export function annotateSecrets(target: Props, source: Props): Props {
  const isData = (key: string): boolean => target.kind === "Secret" && (key === "data" || key === "stringData");
  return mapValues(target, (value, key) => (isData(key) ? asSecret(value) : annotateValue(value, source[key])));
}

function annotateValue(target: Value, source: Value | undefined): Value {
  if (source instanceof Secret) return asSecret(target);
  if (isObject(target) && isObject(source)) return annotateSecrets(target, source);
  if (Array.isArray(target) && Array.isArray(source)) {
    return target.map((item, i) => annotateValue(item, source[i]));
  }
  return target;
}

/** What the state keeps: the live object, the inputs it was made from, and under which name it is managed. */
export function checkpoint(inputs: Props, live: KubeObject, fieldManager: string): Props {
  return {
    ...annotateSecrets(toProps(live), inputs),
    __inputs: inputs,
    __initialApiVersion: inputs.apiVersion ?? "",
    __fieldManager: fieldManager,
  };
}

export function parseCheckpoint(outputs: Props): { inputs: Props; live: KubeObject; fieldManager: string | undefined } {
  const { __inputs: inputs, __fieldManager: fieldManager } = outputs;
  const live = without(outputs, "__inputs", "__initialApiVersion", "__fieldManager");
  return {
    inputs: isObject(inputs) ? inputs : {},
    live: toObject(live),
    fieldManager: typeof fieldManager === "string" ? fieldManager : undefined,
  };
}

/** A Secret's `stringData` is only another way to write `data`. */
export function normalize(object: KubeObject): KubeObject {
  if (object.kind !== "Secret" || object.apiVersion !== "v1" || !isPlain(object.stringData)) return object;
  const { stringData, data, ...rest } = object as KubeObject & { stringData: Record<string, unknown> };
  const encoded = Object.entries(stringData).map(([key, value]): [string, unknown] => [
    key,
    typeof value === "string" ? Buffer.from(value).toString("base64") : value,
  ]);
  return { ...rest, data: { ...(data as object | undefined), ...Object.fromEntries(encoded) } };
}

/** What a program that made this object could have written. */
export function importedInputs(live: KubeObject): KubeObject {
  const { metadata = {}, ...inputs }: KubeObject = without(live, "status");
  const ofServer = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"] as const;
  return { ...inputs, metadata: without(metadata, ...ofServer) };
}

/** The part of a live object that has the shape of the inputs: what else is there, the cluster or others have set. */
export function prune(live: unknown, shape: unknown): unknown {
  if (Array.isArray(live) && Array.isArray(shape)) {
    if (live.length === 0 || shape.length === 0) return [];
    if (typeof live[0] !== typeof shape[0]) return live as unknown[];
    return live.slice(0, shape.length).map((item, i) => prune(item, shape[i]));
  }
  if (isPlain(live) && isPlain(shape)) {
    return Object.fromEntries(
      Object.entries(live).flatMap(([key, value]) => (key in shape ? [[key, prune(value, shape[key])]] : [])),
    );
  }
  return live;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unknown);
}

/** How messages name a resource. */
export function label(urn: string, object: KubeObject): string {
  return `${kindOf(object)} ${idOf(object) || nameOf(urn)}`;
}
