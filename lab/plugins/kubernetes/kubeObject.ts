import { mapValues, omit, pick, pickBy } from "lodash";
import { isRecord } from "../../host/isRecord";
import { asSecret, isSecret, unwrapAllSecrets, UNKNOWN, type Props, type Value } from "../propertyValues";

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
  skipAwait: "pulumi.com/skipAwait",
  timeoutSeconds: "pulumi.com/timeoutSeconds",
} as const;

export function toObject(props: Props): KubeObject {
  return unwrapAllSecrets(props);
}

export function toProps(object: KubeObject): Props {
  return object as unknown as Props;
}

export function annotation(object: KubeObject, name: string): string | undefined {
  return object.metadata?.annotations?.[name];
}

/** `namespace/name`, as the provider's ids read. */
export function idOf(object: KubeObject): string {
  const { namespace, name = "" } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

/** Namespace and name of the object with an id. */
export function metadataOfId(id: string): Metadata {
  const [name, namespace] = id.split("/").reverse();
  return { namespace, name };
}

/** ConfigMapPatch and the like: some fields of an object that somebody else owns. */
export function isPatch(type: string): boolean {
  return type.endsWith("Patch");
}

/** `kubernetes:rbac.authorization.k8s.io/v1:Role`: `rbac.authorization.k8s.io/v1`, `Role`. */
export function groupVersionKindOf(type: string): { apiVersion: string; kind: string } {
  const [, groupVersion, kind] = type.split(":");
  return { apiVersion: groupVersion.replace(/^core\//, ""), kind: kind.replace(/Patch$/, "") };
}

/** Marks as secret what was secret where it came from, and the data of a Secret in any case. */
export function annotateSecrets(target: Props, source: Props): Props {
  const marked = copySecrets(target, source) as Props;
  if (target.kind !== "Secret") return marked;
  return { ...marked, ...mapValues(pick(marked, ["data", "stringData"]), asSecret) };
}

function copySecrets(target: Value, source: Value | undefined): Value {
  if (isSecret(source)) return asSecret(target);
  if (Array.isArray(target) && Array.isArray(source)) return target.map((item, i) => copySecrets(item, source[i]));
  if (isRecord(target) && isRecord(source)) return mapValues(target, (value, key) => copySecrets(value, source[key]));
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

export function parseCheckpoint({ __inputs, __fieldManager, ...live }: Props) {
  return {
    inputs: isRecord(__inputs) ? __inputs : {},
    live: toObject(omit(live, "__initialApiVersion")),
    fieldManager: typeof __fieldManager === "string" ? __fieldManager : undefined,
  };
}

/** A Secret's `stringData` is only another way to write `data`. */
export function normalize(object: KubeObject): KubeObject {
  const { stringData, ...rest } = toProps(object);
  if (rest.kind !== "Secret" || rest.apiVersion !== "v1" || !isRecord(stringData)) return object;
  const encoded = mapValues(stringData, (value) =>
    typeof value === "string" && value !== UNKNOWN ? Buffer.from(value).toString("base64") : value,
  );
  return { ...rest, data: { ...(rest.data as Props | undefined), ...encoded } };
}

/** What a program that made this object could have written. */
export function importedInputs(live: KubeObject): KubeObject {
  const ofServer = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];
  return { ...omit(live, "status"), metadata: omit(live.metadata, ofServer) };
}

/** The part of a live object that has the shape of the inputs: what else is there, the cluster or others have set. */
export function prune(live: Value, shape: Value): Value {
  if (Array.isArray(live) && Array.isArray(shape)) {
    if (shape.length === 0) return [];
    if (typeof live[0] !== typeof shape[0]) return live;
    return live.slice(0, shape.length).map((item, i) => prune(item, shape[i]));
  }
  if (!isRecord(live) || !isRecord(shape)) return live;
  const shared = pickBy(live, (_value, key) => key in shape);
  return mapValues(shared, (value, key) => prune(value, shape[key]));
}
