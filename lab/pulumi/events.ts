import { stripVTControlCharacters } from "node:util";
import { nameOfUrn, typeOfUrn } from "../plugins/urn";

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
/** Severities by the engine's names. Others are not reported. */
const SEVERITIES: Readonly<Record<string, Diagnostic["severity"] | undefined>> = {
  info: "info",
  "info#err": "info",
  warning: "warning",
  error: "error",
};
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

/** What an operation did, or what it would do in case of a preview. */
export interface OperationResult {
  readonly operation: Operation;
  readonly ok: boolean;
  /** Number of resources by kind of change. */
  readonly changes: Partial<Record<(typeof CHANGE_KINDS)[number], number>>;
  readonly steps: StepResult[];
  readonly diagnostics: Diagnostic[];
  /** The stack's outputs after the operation, with `[secret]` for secrets. A preview has none. */
  readonly outputs?: Record<string, unknown>;
  readonly durationMs: number;
}

/** A line of the CLI's event log. It has one of these fields. */
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

/**
 * Reads the steps, the diagnostics and the numbers of changes in an event log.
 * @param lines of the log. As one text it would be too long for a stack with hundreds of workers: each event has a resource's state.
 */
export async function readEvents(
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<Pick<OperationResult, "changes" | "steps" | "diagnostics">> {
  const steps: StepResult[] = [];
  const diagnostics: Diagnostic[] = [];
  const changes: { -readonly [kind in keyof OperationResult["changes"]]: number } = {};
  for await (const line of lines) {
    if (!line.startsWith("{")) continue;
    const { resourcePreEvent, resOpFailedEvent, diagnosticEvent, summaryEvent } = JSON.parse(line) as EngineEvent;
    if (resourcePreEvent) {
      steps.push(...stepOf(resourcePreEvent.metadata));
    }
    if (resOpFailedEvent) {
      const { op, urn } = resOpFailedEvent.metadata;
      const at = steps.findIndex((step) => step.urn === urn && step.op === op);
      if (at >= 0) steps.splice(at, 1);
    }
    if (diagnosticEvent) {
      diagnostics.push(...diagnosticOf(diagnosticEvent));
    }
    for (const kind of CHANGE_KINDS) {
      const count = summaryEvent?.resourceChanges?.[kind];
      if (count) changes[kind] = count;
    }
  }
  return { changes, steps, diagnostics };
}

/** The step of an event. Empty for the engine's own steps, such as those of default providers. */
function stepOf({ op, urn, diffs, detailedDiff, keys }: StepMetadata): StepResult[] {
  const found = OPS.find((name) => name === op);
  const [type, name] = [typeOfUrn(urn), nameOfUrn(urn)];
  if (!found || (type.startsWith("pulumi:providers:") && /^default(_|$)/.test(name))) return [];
  const changed = [...(detailedDiff ? Object.keys(detailedDiff) : (diffs ?? [])), ...(keys ?? [])];
  return [{ op: found, urn, type, name, ...(changed.length > 0 ? { diff: [...new Set(changed)] } : {}) }];
}

/** The diagnostic of an event. Empty for live output and debug messages. */
function diagnosticOf({
  urn,
  message,
  severity,
  ephemeral,
}: NonNullable<EngineEvent["diagnosticEvent"]>): Diagnostic[] {
  const level = SEVERITIES[severity];
  const text = stripVTControlCharacters(message.replace(/<\{%.*?%\}>/g, "")).trimEnd();
  if (ephemeral || level === undefined || text === "") return [];
  return [{ severity: level, ...(urn ? { urn } : {}), message: text }];
}
