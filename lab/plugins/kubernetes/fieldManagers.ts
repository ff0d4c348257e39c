import { parsePath, type Path } from "../paths";
import type { KubeObject, ManagedField } from "./object";

/** An object is created by POST under this name, and only its updates are applied by the server. */
export const creator = "pulumi-kubernetes";

/**
 * Whose fields an update takes over first, by the beginning of the name. That is what the provider does, surprises
 * included: what `kubectl label`, `edit` or `cordon` set on our object is then ours, and gone where we do not set it.
 */
const takenOver: [manager: string, operation: ManagedField["operation"]][] = [
  ["kubectl", "Apply"],
  ["kubectl", "Update"],
  ["before-first-apply", "Update"],
  [creator, "Update"],
  ["pulumi-resource-kubernetes", "Update"],
];

/**
 * The JSON patch that hands to `manager` the fields which this provider set when it created the object, so that a
 * first apply meets no conflict with itself. Undefined: nothing to hand over.
 */
export function handOver(live: KubeObject, manager: string): unknown[] | undefined {
  const entries = live.metadata?.managedFields ?? [];
  const isOurs = ({ manager: name, operation, subresource }: ManagedField): boolean =>
    !subresource && takenOver.some(([start, how]) => name.startsWith(start) && how === operation);
  const ours = entries.filter(isOurs);
  if (ours.length === 0) return undefined;
  const isTarget = (entry: ManagedField): boolean =>
    entry.manager === manager && entry.operation === "Apply" && !entry.subresource;
  const target = entries.find(isTarget);
  const fieldsV1 = [...(target ? [target] : []), ...ours].reduce((union, entry) => merge(union, entry.fieldsV1), {});
  const handed: ManagedField = { ...(target ?? ours[0]), manager, operation: "Apply", fieldsV1 };
  const managedFields = [...entries.filter((entry) => !isOurs(entry) && !isTarget(entry)), handed];
  return [
    { op: "replace", path: "/metadata/managedFields", value: managedFields },
    { op: "replace", path: "/metadata/resourceVersion", value: live.metadata?.resourceVersion },
  ];
}

/**
 * What `manager` applies where a field is in `ignoreChanges`: nothing where the field is somebody else's, and what is there
 * where it is its own, since a field that an apply leaves out is taken away.
 */
export function withIgnored(
  object: KubeObject,
  live: KubeObject,
  manager: string,
  ignoreChanges: string[],
): KubeObject {
  const result = structuredClone(object);
  const at = (root: unknown, keys: Path): unknown =>
    keys.reduce<unknown>((value, key) => (value as Fields | undefined)?.[key], root);
  for (const path of ignoreChanges.map(parsePath)) {
    const last = path.at(-1);
    if (last === undefined || path.some((key) => typeof key === "number")) continue; // into lists: not supported
    const field = path.map((key) => `f:${key}`);
    const entries = (live.metadata?.managedFields ?? []).filter(({ fieldsV1 }) => at(fieldsV1, field) !== undefined);
    const value = at(live, path);
    const parent = at(result, path.slice(0, -1)) as Fields | undefined;
    if (entries.length > 0 && !entries.some((entry) => entry.manager === manager)) delete parent?.[last];
    else if (value !== undefined && parent) parent[last] = value;
  }
  return result;
}

type Fields = Record<string, unknown>;

/** The union of two field sets (`{"f:data": {"f:key": {}}}`). */
function merge(a: Fields, b: Fields): Fields {
  const result: Fields = { ...a };
  for (const [key, value] of Object.entries(b)) result[key] = merge((a[key] ?? {}) as Fields, value as Fields);
  return result;
}

/** Whether this provider's own marks are on an object as an ordinary writer's: from a create, not yet handed over. */
export function isOwnCreation(live: KubeObject): boolean {
  const names = [creator, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"];
  return (live.metadata?.managedFields ?? []).some(
    ({ manager, operation }) => operation === "Update" && names.includes(manager),
  );
}
