import { renderTable } from "../../lab/cli/table";
import type { Finding, StackStatus, WorkerStatus } from "./compare";

/** Renders the status as text: a row for each part, and below it what is not as declared and what to run. */
export function renderStatus({ stack, asDeclared, workers, tokens, undeclared }: StackStatus): string {
  const nodes = renderSection(
    ["WORKER", "NODE", "KUBELET", "CONFIG", "CLIENT CERTIFICATE UNTIL", "SERVING CERTIFICATE UNTIL"],
    [
      ...workers.map((worker) => ({ row: workerRow(worker), findings: worker.findings })),
      ...undeclared.map(({ name, findings }) => ({ row: [name, "not declared"], findings })),
    ],
  );
  const holders = renderSection(
    ["TOKEN OF", "ID", "STATE"],
    tokens.map(({ name, id, state, expires, findings }) => ({
      row: [name, id, expires ? `${state} until ${expires}` : state],
      findings,
    })),
  );
  const summary = asDeclared ? "All is as declared." : "Not all is as declared.";
  return [`Stack ${stack}`, "", nodes, "", holders, "", summary].join("\n");
}

function workerRow({ name, node, kubeletVersion, configHash, ...certificates }: WorkerStatus): string[] {
  const { declared, actual = "" } = kubeletVersion;
  return [
    name,
    node,
    actual === declared || actual === "" ? actual : `${actual}, not ${declared}`,
    configHash.actual === undefined ? "" : configHash.actual === configHash.declared ? "as declared" : "differs",
    certificates.clientCertificateEnd ?? "",
    certificates.servingCertificateEnd ?? "",
  ];
}

interface Part {
  readonly row: readonly string[];
  readonly findings: readonly Finding[];
}

function renderSection(head: readonly string[], parts: readonly Part[]): string {
  const [title, ...rows] = renderTable(
    head,
    parts.map(({ row }) => row.map((cell) => cell || "-")),
  ).split("\n");
  const lines = parts.flatMap(({ findings }, i) => [
    rows[i],
    ...findings.flatMap(({ what, run }) => [`  ${what}`, `    run: ${run}`]),
  ]);
  return [title, ...lines].join("\n");
}
