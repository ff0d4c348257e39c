/** Lists of names, short enough to read. */

/** How many names or ranges of names a list shows. */
const SHOWN = 8;

/** Names in their natural order, with ranges: `worker-1 to worker-40, worker-50`. */
export function nameList(names: readonly string[]): string {
  const ranges = rangesOf([...new Set(names)].sort(natural));
  const shown = ranges.slice(0, SHOWN);
  const rest = ranges.slice(SHOWN).reduce((sum, range) => sum + range.length, 0);
  return [...shown.map(rangeText), ...(rest > 0 ? [`and ${rest} more`] : [])].join(", ");
}

/** Compares names so that worker-2 comes before worker-10. */
export const natural = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

const rangeText = (range: readonly string[]): string =>
  range.length > 2 ? `${range[0]} to ${range.at(-1)}` : range.join(", ");

/** Divides sorted names where the number at their end does not grow by one. */
function rangesOf(names: readonly string[]): string[][] {
  const ranges: string[][] = [];
  for (const name of names) {
    const range = ranges.at(-1);
    if (range && follows(range.at(-1)!, name)) range.push(name);
    else ranges.push([name]);
  }
  // Two names are shorter than a range.
  return ranges.flatMap((range) => (range.length > 2 ? [range] : range.map((name) => [name])));
}

function follows(before: string, name: string): boolean {
  const [, stem, digits] = /^(.*?)(\d+)$/.exec(before) ?? [];
  return stem !== undefined && name === `${stem}${String(Number(digits) + 1).padStart(digits.length, "0")}`;
}

/** `1 worker`, `2 workers`. */
export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/** Divides items by a key, in the order of the items. */
export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
