import { cloneDeep, get, has, merge, partition, set, toPath, unset } from "lodash";
import type { KubeObject, ManagedField } from "./kubeObject";

/** An object is created by POST under this name, and only its updates are applied by the server. */
export const CREATE_FIELD_MANAGER = "pulumi-kubernetes";

/**
 * Whose fields an update takes over first, by the beginning of the name. That is what the published plugin does, surprises included: what
 * `kubectl label`, `edit` or `cordon` set on our object is then ours, and gone where we do not set it.
 */
const takenOver: [manager: string, operation: ManagedField["operation"]][] = [
  ["kubectl", "Apply"],
  ["kubectl", "Update"],
  ["before-first-apply", "Update"],
  [CREATE_FIELD_MANAGER, "Update"],
  ["pulumi-resource-kubernetes", "Update"],
];

/**
 * The JSON patch that hands to `manager` the fields which this plugin set when it created the object, so that a first apply meets no
 * conflict with itself. Undefined: nothing to hand over.
 */
export function fieldHandoverPatch(live: KubeObject, manager: string): object[] | undefined {
  const { managedFields, resourceVersion } = live.metadata ?? {};
  const [ours, others] = partition(
    managedFields,
    ({ manager: name, operation, subresource }) =>
      !subresource && takenOver.some(([start, how]) => name.startsWith(start) && how === operation),
  );
  if (ours.length === 0) return undefined;
  const [applied, rest] = partition(
    others,
    (entry) => entry.manager === manager && entry.operation === "Apply" && !entry.subresource,
  );
  const merged = [...applied, ...ours];
  const fieldsV1 = merge({}, ...merged.map((entry) => entry.fieldsV1)) as ManagedField["fieldsV1"];
  const handed: ManagedField = { ...merged[0], manager, operation: "Apply", fieldsV1 };
  return [
    { op: "replace", path: "/metadata/managedFields", value: [...rest, handed] },
    { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
  ];
}

/**
 * What `manager` applies where a field is in `ignoreChanges`: nothing where the field is somebody else's, and what is there where it is its
 * own, since a field that an apply leaves out is taken away.
 */
export function applyIgnoreChanges(
  object: KubeObject,
  live: KubeObject,
  manager: string,
  ignoreChanges: string[],
): KubeObject {
  const result = cloneDeep(object);
  for (const path of ignoreChanges.map(toPath)) {
    const field = path.map((key) => `f:${key}`);
    const owners = live.metadata?.managedFields?.filter(({ fieldsV1 }) => has(fieldsV1, field)) ?? [];
    if (owners.length > 0 && !owners.some((entry) => entry.manager === manager)) unset(result, path);
    else if (has(live, path)) set(result, path, get(live, path));
  }
  return result;
}

/** Whether this plugin's own marks are on an object as an ordinary writer's: from a create, not yet handed over. */
export function isOwnCreation(live: KubeObject): boolean {
  const names = [CREATE_FIELD_MANAGER, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"];
  return (live.metadata?.managedFields ?? []).some(
    ({ manager, operation }) => operation === "Update" && names.includes(manager),
  );
}
