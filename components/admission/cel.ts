/** Pieces of CEL, the language of admission policies. */

export interface CelVariable {
  readonly name: string;
  readonly expression: string;
}

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** `body`, in which the names stand for their values. A later value may use the names before it. */
export const bind = (values: readonly (readonly [name: string, value: string])[], body: string): string =>
  values.reduceRight((inner, [name, value]) => `[${value}].map(${name}, ${inner})[0]`, body);

/** A string, a list of strings or a map of strings. JSON has the same form. */
export const celText = (value: string | readonly string[] | Readonly<Record<string, string>>): string =>
  JSON.stringify(value);
