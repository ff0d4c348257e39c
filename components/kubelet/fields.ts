import leven from "leven";
import type { Check } from "../validation/refuse";
import { parseGoDuration } from "../validation/goDuration";
import { isMap } from "../validation/maps";
import { belowKey } from "../validation/problems";
import { shorten } from "../validation/ruledString";
import { enums, GATES_OF_A_KIND, gates, structs, type TypeName, versionProblem } from "./kubeletData";
import { parseQuantity } from "./quantities";
import { KEY_RULES, VALUE_RULES } from "./values";

/** Where a value is: as the user finds it, and as the rules name it (`evictionHard.*`, `logging.vmodule[].verbosity`). */
interface Place {
  readonly shown: string;
  readonly rule: string;
}

/**
 * Checks each field of a KubeletConfiguration by itself: its name, type, versions and value. The kubelet ignores unknown fields and exits
 * on invalid values.
 *
 * @param at config key of the settings.
 * @param minor of the kubelets. Undefined when their version is invalid, which is reported elsewhere. Then all versions' fields are valid.
 */
export function fieldChecks(at: string, settings: unknown, minor: number | undefined): Check[] {
  return checkStruct({ shown: at, rule: "" }, "KubeletConfiguration", settings, minor);
}

type Minor = number | undefined;

function checkStruct(at: Place, name: string, value: unknown, minor: Minor): Check[] {
  if (!isMap(value)) return [checkOf(at, value, "must be a map of fields")];
  const fields = structs[name];
  return Object.entries(value).flatMap(([key, member]): Check[] => {
    const place = { shown: belowKey(at.shown, key), rule: at.rule ? `${at.rule}.${key}` : key };
    if (!Object.hasOwn(fields, key))
      return [[place.shown, `is not a field of KubeletConfiguration${suggestion(key, Object.keys(fields))}`]];
    const absent = versionProblem(fields[key], minor);
    return absent ? [[place.shown, absent]] : checkValue(place, fields[key].type, member, minor);
  });
}

function checkValue(at: Place, type: TypeName, value: unknown, minor: Minor): Check[] {
  if (value === null || value === undefined) return [[at.shown, "has no value; leave it out to get the default"]];
  if (type.startsWith("[]")) {
    const wrong = Array.isArray(value) ? VALUE_RULES[at.rule]?.(value as never, minor) : "must be a list";
    if (wrong || !Array.isArray(value)) return [checkOf(at, value, wrong!)];
    return value.flatMap((element, i) =>
      checkValue({ shown: `${at.shown}[${i}]`, rule: `${at.rule}[]` }, type.slice(2), element, minor),
    );
  }
  if (type.startsWith("map ")) return checkMap(at, type.slice("map ".length), value, minor);
  if (Object.hasOwn(structs, type)) return checkStruct(at, type, value, minor);
  if (Object.hasOwn(enums, type)) {
    const values = Object.entries(enums[type]).flatMap(([name, span]) => (versionProblem(span, minor) ? [] : [name]));
    return typeof value === "string" && values.includes(value)
      ? []
      : [checkOf(at, value, `must be one of ${values.join(", ")}`)];
  }
  const wrong = scalarProblem(type, value) ?? VALUE_RULES[at.rule]?.(value as never, minor);
  return wrong ? [checkOf(at, value, wrong)] : [];
}

/** @param type of the map's values. */
function checkMap(at: Place, type: TypeName, value: unknown, minor: Minor): Check[] {
  if (!isMap(value)) return [checkOf(at, value, "must be a map")];
  return Object.entries(value).flatMap(([key, member]): Check[] => {
    const place = { shown: belowKey(at.shown, key), rule: `${at.rule}.*` };
    const wrong = at.rule === "featureGates" ? gateProblem(key, member, minor) : KEY_RULES[at.rule]?.(key, minor);
    return wrong ? [[place.shown, wrong]] : checkValue(place, type, member, minor);
  });
}

function gateProblem(name: string, value: unknown, minor: Minor): string | undefined {
  if (GATES_OF_A_KIND.includes(name)) return undefined;
  if (!Object.hasOwn(gates, name))
    return `is not a feature gate of the kubelet, which would not start${suggestion(name, Object.keys(gates))}`;
  const gate = gates[name];
  const locked = gate.locked !== undefined && minor !== undefined && minor >= gate.locked;
  return (
    versionProblem(gate, minor) ??
    (locked && typeof value === "boolean" && value !== gate.value
      ? `is locked to ${gate.value} since Kubernetes 1.${gate.locked}: the kubelet would not start with ${value}`
      : undefined)
  );
}

const INTEGERS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/**
 * What is wrong with a value that is not a map, a list or an enum.
 * @throws Error for a type that is not known here, which `npm run generate:kubelet` may bring.
 */
function scalarProblem(type: TypeName, value: unknown): string | undefined {
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
      return durationProblem(value);
    case "durationOrNanoseconds":
      return typeof value === "number" && Number.isInteger(value) ? undefined : durationProblem(value);
    case "quantity":
      return (typeof value === "string" || typeof value === "number") && parseQuantity(String(value)) !== undefined
        ? undefined
        : "must be a quantity such as 512Mi or 200m";
    default:
      throw new Error(`kubelets.json has the type '${type}', which components/kubelet/fields.ts cannot check: add it`);
  }
}

const durationProblem = (value: unknown) =>
  typeof value === "string" && parseGoDuration(value) !== undefined
    ? undefined
    : "must be a duration such as 30s or 1m30s, with a unit";

/** `; did you mean …?` when one of the names differs by a few letters only. Otherwise empty. */
export function suggestion(written: string, names: readonly string[]): string {
  const distance = (name: string) => leven(written.toLowerCase(), name.toLowerCase());
  const [nearest] = [...names].sort((a, b) => distance(a) - distance(b));
  const near = distance(nearest) <= Math.max(1, Math.floor(written.length / 3));
  return near ? `; did you mean ${nearest}?` : "";
}

function checkOf({ shown }: Place, value: unknown, problem: string): Check {
  return [shown, problem, shorten(typeof value === "string" ? value : JSON.stringify(value))];
}
