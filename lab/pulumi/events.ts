import { stripVTControlCharacters } from "node:util";
import { nameOf, typeOf } from "../plugins/urn";

export type Operation = "preview" | "up" | "refresh" | "destroy";

const OPS = [
  "same",
  "create",
  "update",
  "delete",
  "replace",
  "create-replacement",
  "delete-replaced",
  "read",
  "refresh",
] as const;
const CHANGE_KINDS = ["same", "create", "update", "delete", "replace"] as const;

export interface StepResult {
  readonly op: (typeof OPS)[number];
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** Paths of the properties that differ. */
  readonly diff?: string[];
}

export interface Diagnostic {
  readonly severity: "info" | "warning" | "error";
  readonly urn?: string;
  readonly message: string;
}

/** What an operation did, or what a preview would do. */
export interface OperationResult {
  readonly operation: Operation;
  readonly ok: boolean;
  /** How many resources were changed, by the kind of change. */
  readonly changes: Partial<Record<(typeof CHANGE_KINDS)[number], number>>;
  readonly steps: StepResult[];
  readonly diagnostics: Diagnostic[];
  /** The stack's outputs after the operation; secrets read `[secret]`. Not of previews. */
  readonly outputs?: Record<string, unknown>;
  readonly durationMs: number;
}

/** One line of the CLI's event log. One of the parts is there. */
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

/** Collects what the event log of an operation says. */
export class EventCollector {
  private readonly steps: StepResult[] = [];
  private readonly diagnostics: Diagnostic[] = [];
  private readonly changes: { -readonly [kind in keyof OperationResult["changes"]]: number } = {};

  readAll(text: string): void {
    for (const line of text.split("\n")) if (line.startsWith("{")) this.read(JSON.parse(line) as EngineEvent);
  }

  read(event: EngineEvent): void {
    if (event.resourcePreEvent) this.step(event.resourcePreEvent.metadata);
    if (event.resOpFailedEvent) this.failed(event.resOpFailedEvent.metadata);
    if (event.diagnosticEvent) this.diagnostic(event.diagnosticEvent);
    for (const kind of CHANGE_KINDS) {
      const count = event.summaryEvent?.resourceChanges?.[kind];
      if (count) this.changes[kind] = count;
    }
  }

  result(operation: Operation, ok: boolean): Omit<OperationResult, "durationMs"> {
    const { changes, steps, diagnostics } = this;
    return { operation, ok, changes, steps, diagnostics };
  }

  private step({ op, urn, diffs, detailedDiff, keys }: StepMetadata): void {
    const found = OPS.find((name) => name === op);
    const name = nameOf(urn);
    if (!found || (typeOf(urn).startsWith("pulumi:providers:") && /^default(_|$)/.test(name))) return;
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
    if (ephemeral) return;
    if (severity !== "info" && severity !== "info#err" && severity !== "warning" && severity !== "error") return;
    const text = stripVTControlCharacters(message.replace(/<\{%.*?%\}>/g, "")).trimEnd();
    if (text === "") return;
    const level = severity === "warning" || severity === "error" ? severity : "info";
    this.diagnostics.push({ severity: level, ...(urn ? { urn } : {}), message: text });
  }
}
