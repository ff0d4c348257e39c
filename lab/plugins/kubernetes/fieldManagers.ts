import { cloneDeep, get, has, merge, partition, set, toPath, unset } from "lodash";
import type { KubeObject, ManagedField } from "./kubeObject";

/** Field manager of creates. Each resource has a field manager of its own for updates. */
export const CREATE_FIELD_MANAGER = "pulumi-kubernetes";

/**
 * Field managers whose fields an update takes over, by the start of their name. As in the published plugin, they include kubectl: an
 * update removes what `kubectl label`, `edit` or `cordon` have set, unless the program sets the same field.
 */
const TAKEN_OVER: [manager: string, operation: ManagedField["operation"]][] = [
  ["kubectl", "Apply"],
  ["kubectl", "Update"],
  ["before-first-apply", "Update"],
  [CREATE_FIELD_MANAGER, "Update"],
  ["pulumi-resource-kubernetes", "Update"],
];

/**
 * The JSON patch that gives the fields of those managers to `manager`. Without it, the first apply would conflict with the plugin's own
 * create. Undefined when there are no such fields.
 */
export function fieldHandoverPatch(live: KubeObject, manager: string): object[] | undefined {
  const { managedFields, resourceVersion } = live.metadata ?? {};
  const [ours, others] = partition(
    managedFields,
    ({ manager: name, operation, subresource }) =>
      !subresource && TAKEN_OVER.some(([start, how]) => name.startsWith(start) && how === operation),
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
 * Adapts the object that `manager` applies to `ignoreChanges`. A field of another manager is left out. A field of `manager` keeps its live
 * value, because an apply removes a field that it leaves out.
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

/** Whether the plugin has created an object and not updated it yet. */
export function isOwnCreation(live: KubeObject): boolean {
  const names = [CREATE_FIELD_MANAGER, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"];
  return (live.metadata?.managedFields ?? []).some(
    ({ manager, operation }) => operation === "Update" && names.includes(manager),
  );
}
