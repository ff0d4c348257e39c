import leven from "leven";
import type { Check } from "../validation/refuse";
import { isMap } from "../validation/maps";
import { enums, GATES_OF_A_KIND, gates, missing, structs, type TypeName } from "./kubeletData";
import { amount, seconds } from "./text";
import { KEY_RULES, VALUE_RULES } from "./values";

/** Where a value is: as a user writes it, and as the rules name it (`evictionHard.*`, `logging.vmodule[].verbosity`). */
interface Place {
  readonly shown: string;
  readonly rule: string;
}

/**
 * What is wrong with the fields of a KubeletConfiguration, each by itself: unknown, of the wrong type, not of this version, or of a value that
 * no kubelet takes. A kubelet only logs a field that it does not know, and goes on without it; for the rest it exits.
 *
 * @param minor of the kubelets; undefined when it is not known, and reported as such.
 */
export function fieldChecks(at: string, settings: unknown, minor: number | undefined): Check[] {
  return struct({ shown: at, rule: "" }, "KubeletConfiguration", settings, minor);
}

type Minor = number | undefined;

function struct(at: Place, name: string, value: unknown, minor: Minor): Check[] {
  if (!isMap(value)) return [problem(at, value, "must be a map of fields")];
  const fields = structs[name];
  return Object.entries(value).flatMap(([key, member]): Check[] => {
    const place = { shown: below(at.shown, key), rule: at.rule ? `${at.rule}.${key}` : key };
    if (!Object.hasOwn(fields, key))
      return [[place.shown, `is not a field of KubeletConfiguration${suggestion(key, Object.keys(fields))}`]];
    const absent = missing(fields[key], minor);
    return absent ? [[place.shown, absent]] : check(place, fields[key].type, member, minor);
  });
}

function check(at: Place, type: TypeName, value: unknown, minor: Minor): Check[] {
  if (value === null || value === undefined) return [[at.shown, "has no value; leave it out to get the default"]];
  if (type.startsWith("[]")) {
    const wrong = Array.isArray(value) ? VALUE_RULES[at.rule]?.(value as never, minor) : "must be a list";
    if (wrong || !Array.isArray(value)) return [problem(at, value, wrong!)];
    return value.flatMap((element, i) =>
      check({ shown: `${at.shown}[${i}]`, rule: `${at.rule}[]` }, type.slice(2), element, minor),
    );
  }
  if (type.startsWith("map ")) return map(at, type.slice("map ".length), value, minor);
  if (Object.hasOwn(structs, type)) return struct(at, type, value, minor);
  if (Object.hasOwn(enums, type)) {
    const values = Object.entries(enums[type]).flatMap(([name, span]) => (missing(span, minor) ? [] : [name]));
    return typeof value === "string" && values.includes(value)
      ? []
      : [problem(at, value, `must be one of ${values.join(", ")}`)];
  }
  const wrong = scalar(type, value) ?? VALUE_RULES[at.rule]?.(value as never, minor);
  return wrong ? [problem(at, value, wrong)] : [];
}

function map(at: Place, type: TypeName, value: unknown, minor: Minor): Check[] {
  if (!isMap(value)) return [problem(at, value, "must be a map")];
  return Object.entries(value).flatMap(([key, member]): Check[] => {
    const place = { shown: below(at.shown, key), rule: `${at.rule}.*` };
    const wrong = at.rule === "featureGates" ? gate(key, member, minor) : KEY_RULES[at.rule]?.(key, minor);
    return wrong ? [[place.shown, wrong]] : check(place, type, member, minor);
  });
}

function gate(name: string, value: unknown, minor: Minor): string | undefined {
  if (GATES_OF_A_KIND.includes(name)) return undefined;
  if (!Object.hasOwn(gates, name))
    return `is not a feature gate of kubelets, which would not start${suggestion(name, Object.keys(gates))}`;
  const known = gates[name];
  const locked = known.locked !== undefined && minor !== undefined && minor >= known.locked;
  return (
    missing(known, minor) ??
    (locked && typeof value === "boolean" && value !== known.value
      ? `is locked to ${known.value} since Kubernetes 1.${known.locked}: kubelets would not start with ${value}`
      : undefined)
  );
}

const INTEGERS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/** What is wrong with a value that is no map, list or enum. */
function scalar(type: TypeName, value: unknown): string | undefined {
  if (Object.hasOwn(INTEGERS, type)) {
    const [least, most] = INTEGERS[type];
    if (typeof value !== "number" || !Number.isInteger(value)) return "must be a whole number";
    return value >= least && value <= most ? undefined : `must be between ${least} and ${most}`;
  }
  switch (type) {
    case "bool":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "float64":
      return typeof value === "number" ? undefined : "must be a number";
    case "string":
      if (typeof value === "number" || typeof value === "boolean") return `must be text: write "${value}" in quotes`;
      return typeof value === "string" ? undefined : "must be text";
    case "time":
      return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? undefined : "must be an RFC 3339 time";
    case "duration":
      return duration(value);
    case "durationOrNanoseconds":
      return typeof value === "number" && Number.isInteger(value) ? undefined : duration(value);
    case "quantity":
      return (typeof value === "string" || typeof value === "number") && amount(String(value)) !== undefined
        ? undefined
        : "must be a quantity such as 512Mi or 200m";
    default:
      throw new Error(`kubelets.json has a type that is not known here: ${type}`);
  }
}

const duration = (value: unknown) =>
  typeof value === "string" && seconds(value) !== undefined
    ? undefined
    : "must be a duration such as 30s or 1m30s, with a unit";

/** `, did you mean …?` when some name is nearly what was written. */
export function suggestion(written: string, names: readonly string[]): string {
  const distance = (name: string) => leven(written.toLowerCase(), name.toLowerCase());
  const [nearest] = [...names].sort((a, b) => distance(a) - distance(b));
  const near = distance(nearest) <= Math.max(1, Math.floor(written.length / 3));
  return near ? `; did you mean ${nearest}?` : "";
}

function problem({ shown }: Place, value: unknown, what: string): Check {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return [shown, what, text.length > 60 ? `${text.slice(0, 57)}…` : text];
}

/** As `pulumi config --path` writes it: `evictionHard["memory.available"]`. */
const below = (at: string, key: string) => (/^\w+$/.test(key) ? `${at}.${key}` : `${at}["${key}"]`);
