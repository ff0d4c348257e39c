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

/** The id of a resource: `namespace/name` or `name`. */
export function idOf(object: KubeObject): string {
  const { namespace, name = "" } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

/** Namespace and name from the id of a resource. */
export function metadataOfId(id: string): Metadata {
  const [name, namespace] = id.split("/").reverse();
  return { namespace, name };
}

/** Whether a type is a Patch resource such as ConfigMapPatch, which manages some fields of an existing object. */
export function isPatch(type: string): boolean {
  return type.endsWith("Patch");
}

/** apiVersion and kind of a type: `rbac.authorization.k8s.io/v1` and `Role` for `kubernetes:rbac.authorization.k8s.io/v1:Role`. */
export function groupVersionKindOf(type: string): { apiVersion: string; kind: string } {
  const [, groupVersion, kind] = type.split(":");
  return { apiVersion: groupVersion.replace(/^core\//, ""), kind: kind.replace(/Patch$/, "") };
}

/** Marks the values as secret that are secret in `source`, and the data of a Secret in any case. */
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

/** The properties in the state: the live object, its inputs and its field manager. */
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

/** Converts the `stringData` of a Secret to `data`, as the API server does. */
export function normalize(object: KubeObject): KubeObject {
  const { stringData, ...rest } = toProps(object);
  if (rest.kind !== "Secret" || rest.apiVersion !== "v1" || !isRecord(stringData)) return object;
  const encoded = mapValues(stringData, (value) =>
    typeof value === "string" && value !== UNKNOWN ? Buffer.from(value).toString("base64") : value,
  );
  return { ...rest, data: { ...(rest.data as Props | undefined), ...encoded } };
}

/** The inputs of an imported object: all fields that a program could have set. */
export function importedInputs(live: KubeObject): KubeObject {
  const ofServer = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"];
  return { ...omit(live, "status"), metadata: omit(live.metadata, ofServer) };
}

/** Removes the fields of a live object that the inputs do not have. The cluster or other clients have set them. */
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
