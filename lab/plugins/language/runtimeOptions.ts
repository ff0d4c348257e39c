import { resolve } from "node:path";
import type { ProgramInfo } from "@pulumi/pulumi/proto/language_pb";

/** What `runtime.options` of a project, policy pack or plugin says about Node.js. */
export interface RuntimeOptions {
  /** Arguments of the `node` process. */
  readonly nodeArgs: readonly string[];
  /** How the SDK's runners learn the other options. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Reads the options `typescript`, `tsconfig` and `nodeargs`. Throws when a value has the wrong type.
 *
 * The names and defaults are those of the published language host (`parseOptions` in pulumi-language-nodejs).
 */
export function readRuntimeOptions(info: ProgramInfo): RuntimeOptions {
  const options = (info.getOptions()?.toJavaScript() ?? {}) as Record<string, unknown>;
  const typescript = option(options, "typescript", "boolean") ?? true;
  const tsconfig = option(options, "tsconfig", "string");
  return {
    nodeArgs: splitArguments(option(options, "nodeargs", "string") ?? ""),
    environment: {
      ...(typescript && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
      ...(tsconfig && { PULUMI_NODEJS_TSCONFIG_PATH: resolve(info.getProgramDirectory(), tsconfig) }),
    },
  };
}

interface OptionTypes {
  boolean: boolean;
  string: string;
}

function option<T extends keyof OptionTypes>(
  options: Record<string, unknown>,
  name: string,
  type: T,
): OptionTypes[T] | undefined {
  const value = options[name];
  if (value !== undefined && typeof value !== type) {
    throw new Error(`runtime.options.${name}: must be a ${type}`);
  }
  return value as OptionTypes[T] | undefined;
}

/** Splits a command line at white space; quotes keep a part together. */
const splitArguments = (line: string): string[] =>
  [...line.matchAll(/(?:"[^"]*"|'[^']*'|\S)+/g)].map(([argument]) => argument.replaceAll(/["']/g, ""));
