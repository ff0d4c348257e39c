import { renderTable } from "../../lab/cli/table";
import type { StackReport } from "./stackFile";

/** The table, and below it the problems of each file. */
export function renderReports(reports: readonly StackReport[]): string {
  const head = ["FILE", "CLUSTER", "POOLS", "WORKERS", "SCALE GROUPS", "KUBERNETES", "PROBLEMS"];
  const rows = reports.map(({ file, cluster = "?", pools = "?", workers = "?", scaleGroups, versions, problems }) => [
    file,
    cluster,
    String(pools),
    String(workers),
    String(scaleGroups),
    versions.join(", ") || "?",
    problems.length === 0 ? "none" : String(problems.length),
  ]);
  const details = reports.flatMap(({ file, problems, notes }) =>
    problems.length + notes.length === 0
      ? []
      : ["", file, ...problems.map((problem) => `  ${problem}`), ...notes.map((note) => `  note: ${note}`)],
  );
  return [renderTable(head, rows), ...details].join("\n");
}
