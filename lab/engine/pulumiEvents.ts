import { stripVTControlCharacters } from "node:util";
import { isProviderType, nameOf, typeOf } from "./deployment/resource";
import type { ChangeKind, Diagnostic, Operation, OperationResult, StepOp, StepResult } from "./types";

/** One line of the real engine's event log; one of the parts is there. */
interface EngineEvent {
  resourcePreEvent?: { metadata: StepMetadata };
  resOutputsEvent?: { metadata: StepMetadata };
  resOpFailedEvent?: { metadata: StepMetadata };
  diagnosticEvent?: { urn?: string; message: string; severity: string; ephemeral?: boolean };
  summaryEvent?: { resourceChanges: Record<string, number> | null };
}

interface StepMetadata {
  op: string;
  urn: string;
  diffs?: string[] | null;
  detailedDiff?: Record<string, unknown> | null;
  keys?: string[] | null;
}

const known: StepOp[] = [
  "same",
  "create",
  "update",
  "delete",
  "replace",
  "create-replacement",
  "delete-replaced",
  "read",
  "refresh",
];
const kinds: ChangeKind[] = ["same", "create", "update", "delete", "replace"];

/** Puts the events of a real operation into the form of our results. */
export class EventCollector {
  private readonly steps: StepResult[] = [];
  private readonly diagnostics: Diagnostic[] = [];
  private readonly changes: OperationResult["changes"] = {};

  readAll(text: string): void {
    for (const line of text.split("\n")) if (line.startsWith("{")) this.read(JSON.parse(line) as EngineEvent);
  }

  read(event: EngineEvent): void {
    if (event.resourcePreEvent) this.step(event.resourcePreEvent.metadata);
    if (event.resOpFailedEvent) this.failed(event.resOpFailedEvent.metadata);
    if (event.diagnosticEvent) this.diagnostic(event.diagnosticEvent);
    for (const kind of kinds) {
      const count = event.summaryEvent?.resourceChanges?.[kind];
      if (count) this.changes[kind] = count;
    }
  }

  result(operation: Operation, ok: boolean): Omit<OperationResult, "durationMs"> {
    const { changes, steps, diagnostics } = this;
    return { engine: "pulumi", operation, ok, changes, steps, diagnostics };
  }

  private step({ op, urn, diffs, detailedDiff, keys }: StepMetadata): void {
    const found = known.find((name) => name === op);
    const name = nameOf(urn);
    if (!found || (isProviderType(typeOf(urn)) && /^default(_|$)/.test(name))) return;
    const changed = [
      ...new Set([...Object.keys(detailedDiff ?? {}), ...(detailedDiff ? [] : (diffs ?? [])), ...(keys ?? [])]),
    ];
    this.steps.push({ op: found, urn, type: typeOf(urn), name, ...(changed.length > 0 ? { diff: changed } : {}) });
  }

  private failed({ op, urn }: StepMetadata): void {
    const at = this.steps.findIndex((step) => step.urn === urn && step.op === op);
    if (at >= 0) this.steps.splice(at, 1);
  }

  private diagnostic({ urn, message, severity, ephemeral }: NonNullable<EngineEvent["diagnosticEvent"]>): void {
    if (ephemeral || /using pulumi-\S+ from \$PATH/.test(message)) return;
    if (severity !== "info" && severity !== "info#err" && severity !== "warning" && severity !== "error") return;
    const text = stripVTControlCharacters(message.replace(/<\{%.*?%\}>/g, "")).trimEnd();
    if (text === "") return;
    const level = severity === "warning" || severity === "error" ? severity : "info";
    this.diagnostics.push({ severity: level, ...(urn ? { urn } : {}), message: text });
  }
}
