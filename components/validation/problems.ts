/** Where a problem is, and the problems that zod reports. */
import type { z } from "zod";
import type { Check } from "./refuse";

/** Writes `["pools", 0, "name"]` as `pools[0].name`. */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** Joins two places: `pools[0]` and `name` become `pools[0].name`. */
export const below = (at: string, place: string): string =>
  at === "" || place === "" || place.startsWith("[") ? `${at}${place}` : `${at}.${place}`;

/** The place of a key in a map, as `pulumi config set --path` takes it: `evictionHard["memory.available"]`. */
export const belowKey = (at: string, key: string): string => (/^\w+$/.test(key) ? `${at}.${key}` : `${at}["${key}"]`);

/** The problems that zod found, each with its place below `at`. */
export function problemsOf({ issues }: z.ZodError, at: string): Check[] {
  return issues.flatMap((issue): Check[] => {
    const where = below(at, pathText(issue.path));
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => [below(where, key), "is not a setting"]);
    if (issue.code === "invalid_key") return issue.issues.map(({ message }) => [where, message]);
    return [[where, issue.message]];
  });
}

/** Options for zod: a missing value gets the message "is required". All other messages stay zod's own. */
export const REQUIRED = {
  error: (issue: { readonly input?: unknown }) => (issue.input === undefined ? "is required" : undefined),
};
