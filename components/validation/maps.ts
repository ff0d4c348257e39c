/** Whether a value is an object and not a list. */
export const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The elements of a list. Any other value has none. */
export const elementsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Merges two maps key by key, at every depth. Values of `over` win. Lists are replaced, not merged. */
export function merge<T extends object>(under: T, over: object): T {
  const merged = { ...under } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    const existing = merged[key];
    merged[key] = isMap(existing) && isMap(value) ? merge(existing, value) : value;
  }
  return merged as T;
}
