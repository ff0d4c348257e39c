import { isRecord } from "../host/isRecord";
import { renderTable } from "./table";
import type { NodeStatus, Status } from "./status";

/** Renders the results of commands as text. */

export function renderStatus(status: Status): string {
  const components = status.components.map(({ name, pid, running }) => [name, running ? `pid ${pid}` : "stopped"]);
  const workers = status.workers.map(({ name, address, running }) => {
    const node = status.nodes?.find((candidate) => candidate.name === name);
    return [
      name,
      address,
      running ? "running" : "stopped",
      nodeState(status, node),
      node?.kubeletVersion || "-",
      rolesAndTaints(node),
    ];
  });
  const controllers = status.controllers.map(({ name, address, running }) => [
    name,
    address,
    running ? "running" : "stopped",
  ]);
  const orphans = (status.nodes ?? [])
    .filter((node) => !status.workers.some(({ name }) => name === node.name))
    .map((node) => [
      node.name,
      "-",
      "no machine",
      nodeState(status, node),
      node.kubeletVersion || "-",
      rolesAndTaints(node),
    ]);
  return [
    `Lab "${status.name}": Kubernetes ${status.kubernetesVersion} at ${status.apiServer}`,
    `${status.cli}; ${status.plugins}`,
    "",
    renderTable(["COMPONENT", "STATE"], components),
    "",
    renderTable(["WORKER", "ADDRESS", "MACHINE", "NODE", "KUBELET", "ROLES, TAINTS"], [...workers, ...orphans]),
    ...(controllers.length > 0 ? ["", renderTable(["CONTROLLER", "ADDRESS", "MACHINE"], controllers)] : []),
  ].join("\n");
}

function nodeState(status: Status, node: NodeStatus | undefined): string {
  if (status.nodes === null) {
    return "unknown";
  }
  return node ? (node.ready ? "Ready" : "NotReady") : "not joined";
}

const ROLE = "node-role.kubernetes.io/";

function rolesAndTaints(node: NodeStatus | undefined): string {
  const roles = Object.keys(node?.labels ?? {}).filter((label) => label.startsWith(ROLE));
  const taints = (node?.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ""}:${effect}`);
  return [...roles.map((label) => label.slice(ROLE.length)), ...taints].join(", ") || "-";
}

/** Renders each output as `name: value`. Objects and lists are indented JSON. */
export function renderOutputs(outputs: Record<string, unknown>): string {
  return Object.entries(outputs)
    .map(([name, value]) => {
      const text = typeof value === "string" ? value.trimEnd() : JSON.stringify(value, null, 2);
      return text.includes("\n") ? `${name}:\n${text.replace(/^/gm, "  ")}` : `${name}: ${text}`;
    })
    .join("\n");
}

/** Columns of the table of receipts, and the path of each value in a receipt. */
const RECEIPT_COLUMNS: Readonly<Record<string, string>> = {
  KUBELET: "kubeletVersion",
  "CERTIFICATE OF": "certificate.subject",
  "SIGNED BY": "certificate.issuer",
  EXPIRES: "certificate.notAfter",
  "TOKEN ms": "ms.token",
  "CERTIFICATE ms": "ms.certificate",
  "READY ms": "ms.ready",
  "TOTAL ms": "ms.total",
};

export function renderReceipts(receipts: unknown): string {
  const rows = Object.entries(isRecord(receipts) ? receipts : {}).map(([node, receipt]) => [
    node,
    ...Object.values(RECEIPT_COLUMNS).map((path) => cellAt(receipt, path)),
  ]);
  return renderTable(["NODE", ...Object.keys(RECEIPT_COLUMNS)], rows);
}

function cellAt(value: unknown, path: string): string {
  const found = path.split(".").reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), value);
  return typeof found === "string" || typeof found === "number" ? String(found) : "-";
}
