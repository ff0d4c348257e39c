import { formatPath, type Path } from "./paths";
import { isObject, reveal, Secret, Unknown, type Props, type Value } from "./values";
import { isAsset } from "./wire";

export type DiffKind = "add" | "delete" | "update";

export interface PropertyDiff {
  kind: DiffKind;
  replace: boolean;
  /** Shows old inputs beside the new ones, instead of old outputs. */
  inputDiff?: boolean;
}

/**
 * What differs between two sets of properties, down to the deepest path where they part. A secret is compared as a
 * whole: naming what differs inside it would tell about it.
 */
export function diffProps(before: Props, after: Props): Record<string, PropertyDiff> {
  const changes: Record<string, PropertyDiff> = {};
  walkObject(before, after, [], changes);
  return changes;
}

function walkObject(before: Props, after: Props, path: Path, changes: Record<string, PropertyDiff>): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    walk(before[key] ?? null, after[key] ?? null, [...path, key], changes);
  }
}

function walk(before: Value, after: Value, path: Path, changes: Record<string, PropertyDiff>): void {
  const note = (kind: DiffKind) => {
    changes[formatPath(path)] = { kind, replace: false };
  };
  if (before === null && after === null) return;
  if (before === null) note("add");
  else if (after === null) note("delete");
  else if (after instanceof Unknown || before instanceof Unknown) note("update");
  else if (before instanceof Secret || after instanceof Secret) {
    if (!sameText(before, after)) note("update");
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      walk(before[i] ?? null, after[i] ?? null, [...path, i], changes);
    }
  } else if (isAsset(before) && isAsset(after)) {
    if (before.hash !== after.hash) note("update");
  } else if (isObject(before) && isObject(after)) walkObject(before, after, path, changes);
  else if (before !== after) note("update");
}

/** Equal apart from secretness: that alone changes no resource. */
function sameText(before: Value, after: Value): boolean {
  return same({ value: reveal(before) }, { value: reveal(after) });
}

/** Whether nothing differs. An unknown differs from everything, and null is the same as a key that is absent. */
export function same(before: Props, after: Props): boolean {
  return Object.keys(diffProps(before, after)).length === 0;
}
