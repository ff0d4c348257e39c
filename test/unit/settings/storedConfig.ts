/** A stack's config as Pulumi stores it: text stays text, everything else is JSON. Keys without a value are left out. */
export const storedConfig = (config: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, typeof value === "string" ? value : JSON.stringify(value)]],
    ),
  );
