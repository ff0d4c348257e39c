/** Whether a value is a map: an object, and no list. */
export const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Merges maps key by key. Everything else, lists too, is taken whole from `over`. */
export function merge<T extends object>(under: T, over: object): T {
  const merged = { ...under } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    const existing = merged[key];
    merged[key] = isMap(existing) && isMap(value) ? merge(existing, value) : value;
  }
  return merged as T;
}
