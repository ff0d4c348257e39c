import { existsSync, lstatSync, readFileSync } from "node:fs";
import { createRequire, SourceMap, type SourceMapPayload } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Deployment, Severity } from "./deployment/deployment";
import { EngineError, messageOf } from "../plugins/errors";
import { EngineService, Monitor, type Protocol, type ReadStack } from "./monitor";
import { isRecord, type Project } from "./project";

/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-member-access -- the SDK's internals, loaded at run time, have no types */

export interface ProgramOptions {
  project: Project;
  entry: Entry;
  folder: string;
  stack: string;
  preview: boolean;
  parallel: number;
  config: { values: Record<string, string>; secretKeys: string[] };
  diagnostic: (severity: Severity, urn: string | undefined, message: string) => void;
  readStack: ReadStack;
}

/** Runs a Pulumi program with the official Node SDK against a deployment; ends when all its registrations have. */
export async function runProgram(options: ProgramOptions, deployment: Deployment): Promise<void> {
  const { project, folder, stack, preview, parallel, config } = options;
  const { entry } = options;
  const load = createRequire(entry.resolveFrom);
  const sdk = (path: string): any => loadSdk(load, path); // eslint-disable-line @typescript-eslint/no-explicit-any
  const protocol: Protocol = {
    resource: sdk("proto/resource_pb"),
    engine: sdk("proto/engine_pb"),
    provider: sdk("proto/provider_pb"),
    struct: sdkDependency(load, "google-protobuf/google/protobuf/struct_pb.js"),
    empty: sdkDependency(load, "google-protobuf/google/protobuf/empty_pb.js"),
  };
  const state = sdk("runtime/state");
  const settings = sdk("runtime/settings");
  process.chdir(folder);
  await state.withLocalStorage(async () => {
    settings.resetOptions(project.name, stack, parallel, "", "embedded", preview, "organization");
    const store = state.getStore();
    store.settings.options.rootDirectory = folder;
    store.settings.monitor = new Monitor(deployment, protocol, options.readStack);
    store.settings.engine = new EngineService(protocol, options.diagnostic);
    sdk("runtime/config").setAllConfig(config.values, config.secretKeys);
    await settings.awaitFeatureSupport();
    try {
      await sdk("runtime/stack").runInPulumiStack(() => runEntry(entry, load));
    } finally {
      // What had been registered by then goes on, also when the program ended with an error.
      await settings.disconnect(true);
    }
  });
}

/** Loads what the program will load first, ahead of time. */
export function preloadSdk({ resolveFrom }: Entry): void {
  loadSdk(createRequire(resolveFrom), "");
}

function loadSdk(load: NodeJS.Require, path: string): unknown {
  try {
    return load(path === "" ? "@pulumi/pulumi" : `@pulumi/pulumi/${path}`);
  } catch (error) {
    throw new EngineError(`cannot load the Pulumi SDK for the program: ${messageOf(error)}`);
  }
}

function sdkDependency(load: NodeJS.Require, path: string): unknown {
  return createRequire(load.resolve("@pulumi/pulumi"))(path);
}

export interface Entry {
  file: string;
  isModule: boolean;
  resolveFrom: string;
}

/** As the Node language host finds it: `main` of Pulumi.yaml, else of the nearest package.json, else index.ts. */
export function findEntry(project: Project, folder: string): Entry {
  const root = nearestPackage(folder);
  const manifest = root === undefined ? {} : readManifest(join(root, "package.json"));
  const isModule = manifest.type === "module";
  const fromManifest = typeof manifest.main === "string" && root !== undefined ? join(root, manifest.main) : undefined;
  const candidates = [
    ...(project.entry === folder ? (fromManifest ? [fromManifest] : []) : [project.entry]),
    ...(project.entry === folder ? [folder] : []),
  ].flatMap((path) => [path, join(path, "index.ts"), join(path, "index.js"), `${path}.ts`, `${path}.js`]);
  const file = candidates.find((path) => existsSync(path) && lstatSync(path).isFile());
  if (file === undefined) throw new EngineError(`no program in ${folder}: neither index.ts nor a 'main'`);
  return { file, isModule, resolveFrom: file };
}

function nearestPackage(folder: string): string | undefined {
  if (existsSync(join(folder, "package.json"))) return folder;
  return dirname(folder) === folder ? undefined : nearestPackage(dirname(folder));
}

function readManifest(file: string): Record<string, unknown> {
  const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
  return isRecord(manifest) ? manifest : {};
}

async function runEntry({ file, isModule }: Entry, load: NodeJS.Require): Promise<unknown> {
  const exported: unknown = isModule ? await import(pathToFileURL(file).href) : load(file);
  const main = isModule && isRecord(exported) && "default" in exported ? exported.default : exported;
  return typeof main === "function" ? await (main as () => unknown)() : main;
}

/**
 * What to show of an error thrown by the program: faults that the program reports on purpose by their message, others
 * with the lines of the program itself that led to them.
 */
export function describeProgramError(error: unknown, entry: string): string {
  const message = messageOf(error);
  if (!(error instanceof Error) || isIntended(error)) return message;
  const frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line) && !/node_modules|node:|lab\/engine/.test(line))
    .slice(0, 5)
    .map(originalPosition);
  return [
    `Running program '${entry}' failed with an unhandled exception:`,
    `${error.name}: ${message}`,
    ...frames,
  ].join("\n");
}

/** Points a line of a stack trace at the TypeScript that it comes from. */
function originalPosition(frame: string): string {
  const sourceMaps = (globalThis as Record<symbol, unknown>)[Symbol.for("lab.engine.sourceMaps")] as
    SourceMaps | undefined;
  return frame.replace(/(\/[^():]+\.ts):(\d+):(\d+)/, (position, file: string, line: string, column: string) => {
    const map = sourceMaps?.get(file);
    if (map === undefined) return position;
    const found = new SourceMap(JSON.parse(map) as SourceMapPayload).findEntry(Number(line) - 1, Number(column) - 1);
    return "originalLine" in found ? `${file}:${found.originalLine + 1}:${found.originalColumn + 1}` : position;
  });
}

/** What child.mjs keeps: file → source map as JSON. */
type SourceMaps = Map<string, string>;

function isIntended(error: Error): boolean {
  const marks = error as unknown as Record<string, unknown>;
  const byPulumi = marks.__pulumiRunError ?? marks.__pulumiInputPropertyError ?? marks.__pulumiInputPropertiesError;
  return (
    byPulumi === true || error instanceof EngineError || (marks.__pulumResourceError === true && !!marks.hideStack)
  );
}

/** The SDK's word for "the engine went away"; the engine has told why already. */
export function isEngineGone(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 14 || code === 1;
}
