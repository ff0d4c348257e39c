/**
 * The values that flow between the engine and a provider: JSON plus two wrappers, `Secret` and `Unknown`. A preview
 * meets an unknown where only an update can tell the value.
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

export function hasUnknowns(value: Value): boolean {
  return some(value, (v) => v instanceof Unknown);
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

/** Provider options come as booleans or as their text. */
export function isTrue(value: Value | undefined): boolean {
  const known = plain(value ?? null);
  return known === true || known === "true";
}
