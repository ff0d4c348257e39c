export interface LineChange {
  kind: "same" | "add" | "delete" | "gap";
  text: string;
}

const context = 2;

/** The lines that differ between two texts, each run with a little of what surrounds it. */
export function diffLines(before: string, after: string): LineChange[] {
  return shorten(align(before.split("\n"), after.split("\n")));
}

/** Longest common subsequence, after equal heads and tails are set aside. */
function align(before: string[], after: string[]): LineChange[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  ) {
    tail++;
  }
  const same = (lines: string[]): LineChange[] => lines.map((text) => ({ kind: "same", text }));
  return [
    ...same(before.slice(0, head)),
    ...alignMiddle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(before.slice(before.length - tail)),
  ];
}

function alignMiddle(before: string[], after: string[]): LineChange[] {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const changes: LineChange[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, fresh] = [before[i], after[j]];
    if (old !== undefined && old === fresh) {
      changes.push({ kind: "same", text: old });
      i++;
      j++;
    } else if (old !== undefined && (fresh === undefined || at(i + 1, j) >= at(i, j + 1))) {
      changes.push({ kind: "delete", text: old });
      i++;
    } else {
      changes.push({ kind: "add", text: fresh ?? "" });
      j++;
    }
  }
  return changes;
}

function shorten(changes: LineChange[]): LineChange[] {
  const near = changes.map((_, i) => changes.slice(Math.max(0, i - context), i + context + 1).some(isChange));
  return changes.flatMap<LineChange>((change, i) => {
    if (near[i]) return [change];
    return i === 0 || near[i - 1] ? [{ kind: "gap", text: "..." }] : [];
  });
}

function isChange({ kind }: LineChange): boolean {
  return kind !== "same";
}
