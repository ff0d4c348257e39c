import { isRecord } from "../system/isRecord";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { EngineError, messageOf } from "../plugins/errors";
import type { Config } from "./stackConfig";

/** One entry of the `config:` block in Pulumi.yaml. */
interface ConfigType {
  /** string, integer, boolean, object or array. */
  type?: string;
  items?: ConfigType;
  default?: unknown;
  value?: unknown;
  secret?: boolean;
}

export interface Project {
  name: string;
  /** Where the program is: the folder, or the file that `main` names. */
  entry: string;
  config: Record<string, ConfigType>;
}

export function readProject(folder: string): Project {
  const file = join(folder, "Pulumi.yaml");
  if (!existsSync(file)) throw new EngineError(`no Pulumi.yaml in ${folder}`);
  const yaml = readYaml(file);
  const { name, main } = yaml;
  if (typeof name !== "string" || name === "") throw new EngineError(`${file}: project is missing a 'name' attribute`);
  const config = isRecord(yaml.config) ? yaml.config : {};
  return {
    name,
    entry: typeof main === "string" ? join(folder, main) : folder,
    config: Object.fromEntries(Object.entries(config).map(([key, value]) => [key, configType(name, key, value)])),
  };
}

export function readYaml(file: string): Record<string, unknown> {
  try {
    const value: unknown = parse(readFileSync(file, "utf8"));
    return isRecord(value) ? value : {};
  } catch (error) {
    throw new EngineError(`cannot read ${file}: ${messageOf(error)}`);
  }
}

/** A bare value is short for a default, or, under another namespace, for a value. */
function configType(project: string, key: string, value: unknown): ConfigType {
  if (isRecord(value)) return value;
  return !key.includes(":") || key.startsWith(`${project}:`) ? { default: value } : { value };
}

/** Adds the project's defaults to a stack's config and checks it against the project's types, as the CLI does. */
export function applyProjectConfig(project: Project, stack: string, config: Config): Config {
  const result: Config = { ...config };
  const missing: string[] = [];
  for (const [name, type] of Object.entries(project.config).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = name.includes(":") ? name : `${project.name}:${name}`;
    if (key in result) continue;
    const value = type.default ?? type.value;
    if (value !== undefined && value !== null) result[key] = { value, secrets: [] };
    else if (key.startsWith(`${project.name}:`)) missing.push(name);
  }
  if (missing.length > 0) {
    const plural = missing.length > 1 ? "values" : "value";
    throw new EngineError(`Stack '${stack}' is missing configuration ${plural} ${enumerate(missing)}`);
  }
  for (const [name, type] of Object.entries(project.config)) {
    const entry = result[name.includes(":") ? name : `${project.name}:${name}`];
    if (type.type === undefined || entry === undefined) continue;
    const subject = `Stack '${stack}' with configuration key '${name}'`;
    if (type.secret && entry.secrets.length === 0) throw new EngineError(`${subject} must be encrypted as it's secret`);
    if (!matches(type, scalarText(entry.value))) {
      throw new EngineError(`${subject} must be of type '${typeName(type)}'`);
    }
  }
  return result;
}

function enumerate(names: string[]): string {
  const quoted = names.map((name) => `'${name}'`);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} and ${last}`;
}

/** At the top level, scalars lose their YAML type: the CLI hands every one of them on as text. */
function scalarText(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}

function matches(type: ConfigType, value: unknown): boolean {
  switch (type.type) {
    case "string":
      return typeof value === "string";
    case "integer":
      return Number.isInteger(value) || (typeof value === "string" && /^[+-]?\d+$/.test(value));
    case "boolean":
      return typeof value === "boolean" || value === "true" || value === "false";
    case "object":
      return isRecord(value);
    case undefined:
    default: {
      const { items } = type;
      return Array.isArray(value) && items !== undefined && value.every((item) => matches(items, item));
    }
  }
}

function typeName(type: ConfigType): string {
  return type.items ? `array<${typeName(type.items)}>` : (type.type ?? "");
}

export { isRecord } from "../system/isRecord";
