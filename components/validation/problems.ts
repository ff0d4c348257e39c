import type { z } from "zod";
import type { Check } from "./refuse";

/** `["pools", 0, "name"]` as `pools[0].name`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** Joins two places: `pools[0]` and `name` as `pools[0].name`. */
export const below = (at: string, place: string): string =>
  at === "" || place === "" || place.startsWith("[") ? `${at}${place}` : `${at}.${place}`;

/** The problems that zod found, each with its place below `at`. */
export function problemsOf({ issues }: z.ZodError, at: string): Check[] {
  return issues.flatMap((issue): Check[] => {
    const where = below(at, pathText(issue.path));
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => [below(where, key), "is not a setting"]);
    if (issue.code === "invalid_key") return issue.issues.map(({ message }) => [where, message]);
    return [[where, issue.message]];
  });
}

/** The message of a value that is missing; zod's own words for everything else. */
export const REQUIRED = {
  error: (issue: { readonly input?: unknown }) => (issue.input === undefined ? "is required" : undefined),
};
