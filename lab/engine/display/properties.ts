import type { StepOp } from "../deployment/step";
import type { PropertyDiff } from "../../plugins/diff";
import { formatPath, type Path } from "../../plugins/paths";
import { equal, isObject, Secret, Unknown, type Props, type Value } from "../../plugins/values";
import { diffLines } from "./lines";
import { symbols, type Style } from "./style";

/** Renders properties the way `pulumi preview --diff` does: four blanks a level, a symbol before what changes. */
export class PropertyPrinter {
  private readonly lines: string[] = [];

  /** `maxLines`: how much to show of a long text. */
  constructor(
    private readonly style: Style,
    private readonly maxLines = Infinity,
  ) {}

  get text(): string[] {
    return this.lines;
  }

  /** All properties of a resource that is made, deleted or unchanged. */
  object(props: Props, indent: number, op: StepOp): this {
    const keys = shownKeys(props);
    const width = longest(keys);
    for (const key of keys) this.value(pad(key, width), props[key] ?? null, indent, op, false);
    return this;
  }

  /** Only what differs; `changed` limits it to the paths that the provider calls changed. */
  difference(before: Props, after: Props, indent: number, changed?: Record<string, PropertyDiff>): this {
    this.objectDifference(before, after, indent, [], changed && Object.keys(changed));
    return this;
  }

  private objectDifference(before: Props, after: Props, indent: number, path: Path, changed?: string[]): void {
    const keys = [...new Set([...shownKeys(before), ...shownKeys(after)])]
      .sort()
      .filter((key) => touches([...path, key], changed) && !same(before[key], after[key]));
    const width = longest(keys);
    for (const key of keys) {
      this.change(pad(key, width), before[key], after[key], indent, [...path, key], changed);
    }
  }

  private change(
    title: string,
    before: Value | undefined,
    after: Value | undefined,
    indent: number,
    path: Path,
    changed?: string[],
  ): void {
    if (before === undefined || before === null) return this.value(title, after ?? null, indent, "create", true);
    if (after === undefined || after === null) return this.value(title, before, indent, "delete", true);
    if (Array.isArray(before) && Array.isArray(after)) {
      this.line(`${title}: [`, indent, "update", true);
      for (let i = 0; i < Math.max(before.length, after.length); i++) {
        if (same(before[i], after[i])) continue;
        this.change(`[${i}]`, before[i], after[i], indent + 1, [...path, i], changed);
      }
      this.line("]", indent, "update", false);
    } else if (isObject(before) && isObject(after)) {
      this.line(`${title}: {`, indent, "update", true);
      this.objectDifference(before, after, indent + 1, path, changed);
      this.line("}", indent, "update", false);
    } else if (isText(before) && isText(after) && (before.includes("\n") || after.includes("\n"))) {
      this.line(`${title}:`, indent, "update", true);
      this.textDifference(before, after, indent + 1);
    } else if (isPrimitive(before) && isPrimitive(after)) {
      const [old, fresh] = [this.style.op("delete")(primitive(before)), this.style.op("create")(primitive(after))];
      const start = this.style.op("update")(`${prefix(indent, "update", true)}${title}: `);
      this.lines.push(`${start}${old}${this.style.op("update")(" => ")}${fresh}`);
    } else {
      this.value(title, before, indent, "delete", true);
      this.value(title, after, indent, "create", true);
    }
  }

  private textDifference(before: string, after: string, indent: number): void {
    const ops = { same: "same", gap: "same", add: "create", delete: "delete" } as const;
    for (const { kind, text } of diffLines(before, after)) {
      if (text.trim() !== "") this.line(text, indent, ops[kind], kind === "add" || kind === "delete");
    }
  }

  private value(title: string, value: Value, indent: number, op: StepOp, marked: boolean): void {
    if (Array.isArray(value) && value.length > 0) {
      this.line(`${title}: [`, indent, op, marked);
      value.forEach((item, i) => this.value(`[${i}]`, item, indent + 1, op, marked));
      this.line("]", indent, op, marked);
    } else if (isObject(value) && Object.keys(value).length > 0) {
      this.line(`${title}: {`, indent, op, marked);
      const keys = shownKeys(value);
      const width = longest(keys);
      for (const key of keys) this.value(pad(key, width), value[key] ?? null, indent + 1, op, marked);
      this.line("}", indent, op, marked);
    } else if (isText(value) && value.trimEnd().includes("\n")) {
      this.line(`${title}:`, indent, op, marked);
      for (const text of this.shortened(value.trimEnd().split("\n"))) this.line(text, indent + 1, op, marked);
    } else {
      this.line(`${title}: ${primitive(value)}`, indent, op, marked);
    }
  }

  private shortened(lines: string[]): string[] {
    return lines.length > this.maxLines ? [...lines.slice(0, this.maxLines), "..."] : lines;
  }

  private line(text: string, indent: number, op: StepOp, marked: boolean): void {
    this.lines.push(this.style.op(op)(`${prefix(indent, op, marked)}${text}`));
  }
}

function prefix(indent: number, op: StepOp, marked: boolean): string {
  const blank = "    ".repeat(indent);
  return marked ? blank.slice(0, -2) + symbols[op] : blank;
}

/** A provider's own bookkeeping (`__inputs` and the like) is of no interest. */
function shownKeys(props: Props): string[] {
  return Object.keys(props)
    .filter((key) => !key.startsWith("__") && props[key] !== null && props[key] !== undefined)
    .sort();
}

function touches(path: Path, changed: string[] | undefined): boolean {
  if (changed === undefined) return true;
  const text = formatPath(path);
  return changed.some((key) => key === text || isBelow(key, text) || isBelow(text, key));
}

function isBelow(key: string, ancestor: string): boolean {
  return key.startsWith(ancestor) && /^[.[]/.test(key.slice(ancestor.length));
}

function same(before: Value | undefined, after: Value | undefined): boolean {
  return equal(before ?? null, after ?? null);
}

function isText(value: Value): value is string {
  return typeof value === "string";
}

function isPrimitive(value: Value): boolean {
  return !Array.isArray(value) && !isObject(value);
}

function primitive(value: Value): string {
  if (value instanceof Secret) return "[secret]";
  if (value instanceof Unknown) return "[unknown]";
  if (Array.isArray(value)) return "[]";
  return isObject(value) ? "{}" : value === null ? "<null>" : JSON.stringify(value);
}

function longest(keys: string[]): number {
  return Math.max(0, ...keys.map((key) => key.length));
}

function pad(key: string, width: number): string {
  return key.padEnd(width);
}
