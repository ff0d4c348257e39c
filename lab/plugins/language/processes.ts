import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import type { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import type { ProgramInfo, RunPluginRequest, RunRequest } from "@pulumi/pulumi/proto/language_pb";

/** How long a process may take to end after it was asked to. */
const GRACE_MS = 5000;

interface NodeProcess {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
}

const running = new Set<ChildProcess>();

/**
 * Starts Node.js for a call, which ends it when it is cancelled. The kernel kills the process when the language host ends, also when the
 * host is killed: a program that goes on without its engine would wait for an answer that never comes.
 */
export function startNode(
  { args, cwd, environment }: NodeProcess,
  call: EventEmitter,
): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, ...args], {
    cwd,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("close", () => running.delete(child));
  call.once("cancelled", () => stop(child));
  return child;
}

/** Interrupts a process, as Ctrl-C does, and kills it when it goes on. */
function stop(child: ChildProcess): void {
  child.kill("SIGINT");
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
}

export const stopAllProcesses = (): void => running.forEach(stop);

/** Runs a Pulumi program by the SDK's own runner. */
export function programProcess(request: RunRequest, engine: string): NodeProcess {
  const info = request.getInfo()!;
  const directory = info.getProgramDirectory();
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info.getRootDirectory(),
    stack: request.getStack(),
    pwd: directory,
    parallel: String(request.getParallel()),
  };
  return {
    args: [
      sdkRunner("run", directory),
      ...Object.entries(flags).flatMap(([flag, value]) => (value ? [`--${flag}`, value] : [])),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      info.getEntryPoint(),
      ...request.getArgsList(),
    ],
    cwd: directory,
    environment: {
      ...process.env,
      ...environmentOf(info),
      PULUMI_CONFIG: configText(request),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
  };
}

/**
 * Runs a policy pack or a component package by the SDK's own runners. As the published host starts them: a policy pack in its own folder, with the
 * folder as the last argument; a package the other way round.
 */
export function pluginProcess(request: RunPluginRequest): NodeProcess {
  const info = request.getInfo()!;
  const directory = info.getProgramDirectory();
  const variables = request.getEnvList().map((line) => /^([^=]*)=(.*)$/s.exec(line)!.slice(1));
  const isPolicyPack = request.getKind() === "analyzer";
  const args = request.getArgsList();
  return {
    args: isPolicyPack
      ? [sdkRunner("run-policy-pack", directory), ...args, directory]
      : [sdkRunner("run-plugin", directory), directory, ...args],
    cwd: isPolicyPack ? directory : request.getPwd(),
    environment: { ...(Object.fromEntries(variables) as NodeJS.ProcessEnv), ...environmentOf(info) },
  };
}

/**
 * File of one of the SDK's runners. Each program brings its own SDK, in its `node_modules` or in those of a folder above: this repository's
 * policy pack and examples use the repository's.
 */
function sdkRunner(name: string, programDirectory: string): string {
  try {
    return createRequire(join(programDirectory, "package.json")).resolve(`@pulumi/pulumi/cmd/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(`${programDirectory}: the Pulumi SDK is not installed; run: npm ci`);
  }
}

/** How the SDK's runners learn `runtime.options` of a project or policy pack, with the published language host's names and defaults. */
function environmentOf(info: ProgramInfo): NodeJS.ProcessEnv {
  const { typescript = true, tsconfig, ...others } = info.getOptions()?.toJavaScript() ?? {};
  const unsupported = Object.keys(others).find((name) => name !== "packagemanager");
  if (unsupported) throw new Error(`runtime.options.${unsupported}: the stand-in language host does not support it`);
  return {
    ...(typescript === true && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
    ...(typeof tsconfig === "string" && { PULUMI_NODEJS_TSCONFIG_PATH: resolve(info.getProgramDirectory(), tsconfig) }),
  };
}

/** Linux allows this many bytes in one string of the environment (MAX_ARG_STRLEN), the terminating zero included. */
const MAXIMUM_ENTRY = 128 * 1024;

/** The stack's config as the SDK reads it from the environment. */
function configText(request: RunRequest): string {
  const config: Record<string, string> = {};
  request.getConfigMap().forEach((value: string, key: string) => {
    config[key.replace(/^([^:]+):(?:config:)?/, "$1:config:")] = value;
  });
  const text = JSON.stringify(config);
  const bytes = Buffer.byteLength(`PULUMI_CONFIG=${text}`) + 1;
  if (bytes > MAXIMUM_ENTRY) {
    throw new Error(
      `argument list too long: the stack's config takes ${bytes} bytes, and Linux passes at most ${MAXIMUM_ENTRY} to the program`,
    );
  }
  return text;
}
