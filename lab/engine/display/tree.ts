import type { StepOp } from "../deployment/step";
import { symbols, type Style } from "./style";

export interface TreeRow {
  urn: string;
  parent: string | undefined;
  type: string;
  name: string;
  op: StepOp;
  failed: boolean;
  info: string;
}

/** The table of a preview: the tree of what changes, with the parents that lead there. */
export function renderTree(rows: TreeRow[], style: Style): string[] {
  const byUrn = new Map(rows.map((row) => [row.urn, row]));
  const shown = new Set<string>();
  for (const row of rows) {
    if (row.op === "same" && !row.failed && row.parent !== undefined) continue;
    let current: TreeRow | undefined = row;
    while (current && !shown.has(current.urn)) {
      shown.add(current.urn);
      current = current.parent === undefined ? undefined : byUrn.get(current.parent);
    }
  }
  const lines: { row: TreeRow; label: string }[] = [];
  const walk = (parent: string | undefined, indent: string): void => {
    const children = rows.filter(
      (row) => shown.has(row.urn) && (row.parent === parent || (parent === undefined && !byUrn.has(row.parent ?? ""))),
    );
    children.forEach((row, i) => {
      const last = i === children.length - 1;
      const branch = parent === undefined ? "" : last ? "└─ " : "├─ ";
      lines.push({ row, label: `${indent}${branch}${row.type}` });
      walk(row.urn, parent === undefined ? "" : `${indent}${last ? "   " : "│  "}`);
    });
  };
  walk(undefined, "");
  const table = [
    ["", "Type", "Name", "Plan", "Info"],
    ...lines.map(({ row, label }) => [
      symbols[row.op],
      label,
      row.name,
      row.op === "same" ? "" : row.op,
      row.failed ? "1 error" : row.info,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  return table.map((cells, i) => {
    const text = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
    const line = ` ${text}`.trimEnd();
    return i === 0 ? style.headline(line) : style.op(lines[i - 1]?.row.op ?? "same")(line);
  });
}
