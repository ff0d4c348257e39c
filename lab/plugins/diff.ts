import { range, toPath, union } from "lodash";
import { isRecord } from "../host/isRecord";
import { isAsset, isSecret, unwrapSecret, UNKNOWN, type Value } from "./propertyValues";

/** Keys of objects, and indexes of lists as numbers. */
export type Path = (string | number)[];

export interface Change {
  path: Path;
  kind: "add" | "delete" | "update";
  replace?: boolean;
  /** Compare with the old inputs in the engine's display, not with the old outputs. */
  inputDiff?: boolean;
}

/**
 * Lists the changes between two values, each at its deepest path. Null equals absent. An unknown value differs from everything. A change
 * within a secret is a change of the whole secret, so that no path discloses its content. Whether a value is secret is no difference.
 */
export function differences(before: Value = null, after: Value = null, path: Path = []): Change[] {
  if (before === null && after === null) return [];
  if (before === null) return [{ path, kind: "add" }];
  if (after === null) return [{ path, kind: "delete" }];
  const update: Change[] = [{ path, kind: "update" }];
  if (before === UNKNOWN || after === UNKNOWN) return update;
  if (isSecret(before) || isSecret(after)) return isSame(unwrapSecret(before), unwrapSecret(after)) ? [] : update;
  if (isAsset(before) && isAsset(after)) return before.hash === after.hash ? [] : update;
  if (Array.isArray(before) && Array.isArray(after)) {
    return range(Math.max(before.length, after.length)).flatMap((i) => differences(before[i], after[i], [...path, i]));
  }
  if (isRecord(before) && isRecord(after)) {
    return union(Object.keys(before), Object.keys(after)).flatMap((key) =>
      differences(before[key], after[key], [...path, key]),
    );
  }
  return before === after ? [] : update;
}

export function isSame(before: Value, after: Value): boolean {
  return differences(before, after).length === 0;
}

/** Formats a path like Pulumi: `a.b[0]["c.d"]`. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[^.[\]"]+$/.test(part)) return `["${part.replace(/["\\]/g, "\\$&")}"]`;
      return i === 0 ? part : `.${part}`;
    })
    .join("");
}

/** Whether a pattern of `ignoreChanges` matches a path or a part that contains the path. */
export function patternCovers(pattern: string, path: Path): boolean {
  const parts = toPath(pattern);
  return parts.length <= path.length && parts.every((part, i) => part === "*" || part === String(path[i]));
}
