/**
 * The values that flow between program, engine, providers and state: JSON plus two wrappers, `Secret` and `Unknown`
 * (a value that only an update will tell, met in previews).
 */
export class Secret {
  constructor(readonly value: Value) {}
}

export class Unknown {
  readonly isUnknown = true;
}

/** The one unknown value. */
export const unknown = new Unknown();

export type Value = null | boolean | number | string | Secret | Unknown | Value[] | Props;
export interface Props {
  [key: string]: Value;
}

export function isObject(value: unknown): value is Props {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Secret) &&
    !(value instanceof Unknown)
  );
}

/** Wraps a value as a secret; a secret stays as it is. */
export function asSecret(value: Value): Value {
  return value instanceof Secret ? value : new Secret(value);
}

/** Takes the outermost secret wrapper off. */
export function reveal(value: Value | undefined): Value {
  return value instanceof Secret ? value.value : (value ?? null);
}

/** Takes every secret wrapper off, at any depth. */
export function plain(value: Value): Value {
  if (value instanceof Secret) return plain(value.value);
  if (Array.isArray(value)) return value.map(plain);
  return isObject(value) ? mapValues(value, plain) : value;
}

export function plainProps(props: Props): Props {
  return mapValues(props, plain);
}

function some(value: Value, test: (value: Value) => boolean): boolean {
  if (test(value)) return true;
  if (value instanceof Secret) return some(value.value, test);
  if (Array.isArray(value)) return value.some((item) => some(item, test));
  return isObject(value) && Object.values(value).some((item) => some(item, test));
}

export function hasSecrets(value: Value): boolean {
  return some(value, (v) => v instanceof Secret);
}

export function hasUnknowns(value: Value): boolean {
  return some(value, (v) => v instanceof Unknown);
}

/**
 * Deep equality as Pulumi's engine sees it: secretness counts, an unknown never equals anything, and a key that holds
 * null is the same as an absent one.
 */
export function equal(a: Value, b: Value): boolean {
  if (a instanceof Unknown || b instanceof Unknown) return false;
  if (a instanceof Secret || b instanceof Secret) {
    return a instanceof Secret && b instanceof Secret && equal(a.value, b.value);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i] ?? null))
    );
  }
  if (isObject(a) && isObject(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => equal(a[key] ?? null, b[key] ?? null));
  }
  return a === b;
}

/** An object without some of its keys. */
export function without<T extends object, K extends keyof T>(object: T, ...keys: K[]): Omit<T, K> {
  const rest = { ...object };
  for (const key of keys) delete rest[key];
  return rest;
}

export function mapValues<A, B>(object: Record<string, A>, map: (value: A, key: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]));
}

const shortestMasked = 8;
const shortestKeyLine = 40;

/**
 * Strings to mask wherever they turn up in text: those that are secrets themselves. A secret object (such as all data of
 * a Kubernetes Secret) holds public strings as well, so those inside it are not taken.
 */
export function secretStrings(value: Value): string[] {
  if (value instanceof Secret) return typeof value.value === "string" ? maskable(value.value) : [];
  if (Array.isArray(value)) return value.flatMap(secretStrings);
  return isObject(value) ? Object.values(value).flatMap(secretStrings) : [];
}

/** A text as it is, as a quoted one, and, of a private key, every line of it. */
export function maskable(text: string): string[] {
  if (text.length < shortestMasked) return [];
  const lines = text.includes("PRIVATE KEY") ? text.split("\n").filter((line) => line.length >= shortestKeyLine) : [];
  return [...new Set([text, text.trim(), JSON.stringify(text).slice(1, -1), ...lines])];
}

/** JSON for people: secrets as `[secret]`, unknowns as `output<string>`. */
export function masked(value: Value): unknown {
  if (value instanceof Secret) return "[secret]";
  if (value instanceof Unknown) return "output<string>";
  if (Array.isArray(value)) return value.map(masked);
  return isObject(value) ? mapValues(value, masked) : value;
}
