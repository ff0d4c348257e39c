import type { Events, Severity } from "../deployment/deployment";
import { isProviderType, nameOf, stackType, typeOf, type ResourceState } from "../deployment/resource";
import { describe, isLogical, type Step, type StepOp } from "../deployment/step";
import { equal, secretStrings, type Props } from "../../plugins/values";
import type { ChangeKind, Diagnostic, Operation, OperationResult, StepResult } from "../types";
import { PropertyPrinter } from "./properties";
import { makeStyle, pastTense, symbols, type Style } from "./style";
import { renderTree, type TreeRow } from "./tree";

export interface ReporterOptions {
  operation: Operation;
  stack: string;
  diff: boolean;
  color: boolean;
  print: (line: string) => void;
}

/** Outputs such as certificates are long. */
const shownOutputLines = 6;

const titles: Record<Operation, string> = {
  preview: "Previewing update",
  up: "Updating",
  refresh: "Refreshing",
  destroy: "Destroying",
};

/** Follows an operation: prints what a person wants to see of it, and collects its result. */
export class Reporter implements Events {
  private readonly style: Style;
  private readonly steps: StepResult[] = [];
  private readonly diagnostics: Diagnostic[] = [];
  private readonly changes: Partial<Record<ChangeKind, number>> = {};
  private readonly rows = new Map<string, TreeRow>();
  private readonly parents = new Map<string, string | undefined>();
  private readonly started = new Map<Step, number>();
  private readonly secrets = new Set<string>();
  private outputLines: string[] = [];
  private readonly begun = Date.now();

  constructor(private readonly options: ReporterOptions) {
    this.style = makeStyle(options.color);
    this.print(this.style.headline(`${titles[options.operation]} (${options.stack}):`));
  }

  /** Strings that are never to be printed, whatever carries them. */
  hide(secrets: Iterable<string>): void {
    for (const text of secrets) this.secrets.add(text);
  }

  private get preview(): boolean {
    return this.options.operation === "preview";
  }

  get hasChanges(): boolean {
    return Object.entries(this.changes).some(([kind, count]) => kind !== "same" && count > 0);
  }

  starting(step: Step): void {
    this.started.set(step, Date.now());
    this.parents.set(step.urn, (step.new ?? step.old)?.parent);
    for (const state of [step.old, step.new]) if (state) this.hide(secretStrings([state.inputs, state.outputs]));
    if (isHidden(step)) return;
    this.row(step);
    if (this.options.diff && (step.op !== "same" || isStack(step)) && step.op !== "refresh") this.printStep(step);
  }

  finished(step: Step): void {
    if (step.new) this.hide(secretStrings([step.new.inputs, step.new.outputs]));
    if (isHidden(step)) return;
    const op = step.op === "forget" ? "delete" : resultOf(step);
    this.row(step, op);
    this.count(step, op);
    this.record(step);
    if (this.options.diff && step.op === "refresh" && op !== "same") this.printStep(step, op);
    if (!this.preview && !this.options.diff && op !== "same" && op !== "replace" && !isStack(step)) {
      this.print(this.progressLine(step, op));
    }
  }

  failed(step: Step, _message: string): void {
    if (isHidden(step)) return;
    this.row(step, step.op === "forget" ? "delete" : step.op, true);
    // A preview tells what was to happen, also where it already sees that it would fail.
    if (this.preview) this.record(step);
    if (this.preview || this.options.diff) return;
    const { type, name } = describe(step);
    this.print(this.style.severity.error(` ${symbols[displayOp(step)]} ${shortType(type)} ${name} failed`));
  }

  outputs(state: ResourceState, before: Props, _step: Step): void {
    this.hide(secretStrings(state.outputs));
    if (state.type !== stackType) return;
    const printer = new PropertyPrinter(this.style, shownOutputLines);
    if (Object.keys(before).length === 0) printer.object(state.outputs, 1, "create");
    else if (this.preview && equal(before, state.outputs)) return;
    else this.stackOutputs(printer, before, state.outputs);
    this.outputLines = printer.text;
  }

  diagnostic(severity: Severity, urn: string | undefined, message: string): void {
    this.diagnostics.push({ severity, ...(urn ? { urn } : {}), message: this.mask(message.trimEnd()) });
  }

  /** A provider's live output. */
  status(urn: string, message: string): void {
    if (!this.preview) this.print(this.style.faint(`    ${nameOf(urn)}: ${message}`));
  }

  /** Prints what is to be said at the end, and gives the result. */
  finish(ok: boolean, outputs: Record<string, unknown> | undefined): OperationResult {
    const { operation } = this.options;
    if (!this.options.diff && this.preview) this.printAll(renderTree([...this.rows.values()], this.style));
    this.printDiagnostics();
    if (this.outputLines.length > 0) this.printAll(["", this.style.headline("Outputs:"), ...this.outputLines]);
    this.printSummary();
    const durationMs = Date.now() - this.begun;
    const { steps, diagnostics, changes } = this;
    return { engine: "embedded", operation, ok, changes, steps, diagnostics, outputs, durationMs };
  }

  private stackOutputs(printer: PropertyPrinter, before: Props, after: Props): void {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    for (const key of keys) {
      const [old, fresh] = [before[key] ?? null, after[key] ?? null];
      if (equal(old, fresh)) {
        if (!this.preview) printer.object({ [key]: fresh }, 1, "same");
      } else printer.difference({ [key]: old }, { [key]: fresh }, 1);
    }
  }

  private record(step: Step): void {
    if (step.op === "forget") return;
    const diff = [...Object.keys(step.diff), ...step.replaceKeys.filter((key) => !(key in step.diff))];
    this.steps.push({ op: step.op, ...describe(step), ...(diff.length > 0 ? { diff } : {}) });
  }

  private count(step: Step, op: StepOp): void {
    if (!isLogical(step) && step.op !== "refresh") return;
    if (op === "same" || op === "create" || op === "update" || op === "delete" || op === "replace") {
      if (!step.skipped || step.old) this.changes[op] = (this.changes[op] ?? 0) + 1;
    }
  }

  private row(step: Step, op: StepOp = displayOp(step), failed = false): void {
    const { urn } = step;
    const before = this.rows.get(urn);
    // The parts of a replacement show as one.
    const isPart = op === "create-replacement" || op === "delete-replaced";
    const shown = before?.op === "replace" || isPart ? "replace" : op;
    const info = Object.keys(step.diff).map(
      (key) => `${step.diff[key]?.kind === "add" ? "+" : step.diff[key]?.kind === "delete" ? "-" : "~"}${key}`,
    );
    this.rows.set(urn, {
      urn,
      parent: (step.new ?? step.old)?.parent,
      type: shortType(typeOf(urn)),
      name: nameOf(urn),
      op: shown,
      failed: failed || (before?.failed ?? false),
      info: info.length > 0 ? `[diff: ${info.join(",")}]` : (before?.info ?? ""),
    });
  }

  private printStep(step: Step, op: StepOp = displayOp(step)): void {
    const { style } = this;
    const state = step.new ?? step.old;
    if (!state) return;
    const indent = this.depth(step.urn);
    const retained = step.old?.retainOnDelete && /^(delete|replace|create-replacement|delete-replaced)/.test(op);
    const lock = step.new?.protect || step.old?.protect ? " 🔒" : "";
    const blank = "    ".repeat(indent);
    this.print(style.op(op)(`${blank}${symbols[op]}${state.type}: (${op}${retained ? "[retain]" : ""})${lock}`));
    const head = op === "create" || op === "delete" ? op : "same";
    const note = (text: string): void => this.print(style.op(head)(`${blank}    ${text}`));
    if (step.old?.id) note(`[id=${step.old.id}]`);
    note(`[urn=${step.urn}]`);
    if (state.provider) note(`[provider=${state.provider.replace(/::04da6b54-[0-9a-f-]+$/, "::[unknown]")}]`);
    this.printAll(this.details(step, op, indent + 1));
  }

  private details(step: Step, op: StepOp, indent: number): string[] {
    const printer = new PropertyPrinter(this.style);
    if (op === "same" || op === "delete" || op === "delete-replaced") return [];
    if (step.old && step.new) {
      const changed = Object.keys(step.diff).length > 0 ? step.diff : undefined;
      return printer.difference(step.old.inputs, step.new.inputs, indent, changed).text;
    }
    return step.new ? printer.object(step.new.inputs, indent, op).text : [];
  }

  private depth(urn: string): number {
    let depth = 0;
    for (let parent = this.parents.get(urn); parent !== undefined; parent = this.parents.get(parent)) depth++;
    return depth;
  }

  private progressLine(step: Step, op: StepOp): string {
    const { type, name } = describe(step);
    const seconds = ((Date.now() - (this.started.get(step) ?? Date.now())) / 1000).toFixed(2);
    const text = ` ${symbols[op]} ${shortType(type)} ${name} ${pastTense[op]}`;
    return `${this.style.op(op)(text)} ${this.style.faint(`(${seconds}s)`)}`;
  }

  private printDiagnostics(): void {
    if (this.diagnostics.length === 0) return;
    this.printAll(["", this.style.headline("Diagnostics:")]);
    const groups = new Map<string, Diagnostic[]>();
    for (const diagnostic of this.diagnostics) {
      const urn = diagnostic.urn ?? "";
      groups.set(urn, [...(groups.get(urn) ?? []), diagnostic]);
    }
    for (const [urn, diagnostics] of groups) {
      const title =
        urn === "" ? `${stackType} (${this.options.stack}):` : `${shortType(typeOf(urn))} (${nameOf(urn)}):`;
      this.print(this.style.bold(`  ${title}`));
      for (const { severity, message } of diagnostics) {
        const [first, ...rest] = message.split("\n");
        this.print(`    ${this.style.severity[severity](`${severity}:`)} ${first}`);
        this.printAll(rest.map((line) => `    ${line}`));
      }
      this.print("");
    }
  }

  private printSummary(): void {
    const { changes, style } = this;
    const kinds = (["create", "update", "delete", "replace"] as const).filter((kind) => changes[kind]);
    const to = this.preview ? "to " : "";
    this.printAll(["", style.headline("Resources:")]);
    for (const kind of kinds) {
      const word = this.preview ? kind : pastTense[kind];
      this.print(`    ${style.op(kind)(`${symbols[kind]}${changes[kind]} ${to}${word}`)}`);
    }
    const total = kinds.reduce((sum, kind) => sum + (changes[kind] ?? 0), 0);
    const pieces = [
      ...(kinds.length > 1 ? [style.bold(`${total} changes`)] : []),
      ...(changes.same ? [`${changes.same} unchanged`] : []),
    ];
    if (pieces.length > 0) this.print(`    ${pieces.join(". ")}`);
    const errored = [...this.rows.values()].filter(({ failed }) => failed).length;
    if (errored > 0) this.print(`    ${style.severity.error(`${errored} errored`)}`);
    if (!this.preview) {
      const seconds = Math.ceil((Date.now() - this.begun) / 1000);
      this.printAll(["", `${style.headline("Duration:")} ${seconds}s`]);
    }
  }

  private mask(text: string): string {
    let result = text;
    for (const secret of this.secrets) result = result.replaceAll(secret, "[secret]");
    return result;
  }

  private printAll(lines: string[]): void {
    lines.forEach((line) => this.print(line));
  }

  private print(line: string): void {
    this.options.print(this.mask(line));
  }
}

function displayOp(step: Step): StepOp {
  return step.op === "forget" ? "delete" : step.op;
}

/** What a refresh turned out to be. */
function resultOf(step: Step): StepOp {
  if (step.op !== "refresh") return displayOp(step);
  if (step.new === undefined) return "delete";
  return Object.keys(step.diff).length > 0 ? "update" : "same";
}

function isStack(step: Step): boolean {
  return typeOf(step.urn) === stackType;
}

/** Default providers come and go by themselves. */
function isHidden(step: Step): boolean {
  return isProviderType(typeOf(step.urn)) && /^default(_|$)/.test(nameOf(step.urn));
}

/** `random:index/randomString:RandomString` → `random:index:RandomString`. */
export function shortType(type: string): string {
  const [pkg, module, name] = type.split(":");
  if (name === undefined || isProviderType(type)) return type;
  const short = module?.split("/").slice(0, module.toLowerCase().endsWith(`/${name.toLowerCase()}`) ? -1 : undefined);
  return [pkg, short?.join("/"), name].join(":");
}
