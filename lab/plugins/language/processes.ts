import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import type { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import type { ProgramInfo, RunPluginRequest, RunRequest } from "@pulumi/pulumi/proto/language_pb";

/** How long a process may take to end after SIGINT. */
const GRACE_MS = 5000;

interface NodeProcess {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
}

const running = new Set<ChildProcess>();

/**
 * Starts Node.js for a call. A cancelled call ends the process. The kernel kills the process when the language host ends, because a
 * program without an engine would wait for answers forever.
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

/** Interrupts a process like Ctrl-C, and kills it when it does not end in time. */
function stop(child: ChildProcess): void {
  child.kill("SIGINT");
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
}

export const stopAllProcesses = (): void => running.forEach(stop);

/** The process of a Pulumi program: the SDK's runner. */
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
 * The process of a policy pack or a component package: one of the SDK's runners. Like the published host, it runs a policy pack in the
 * pack's folder, with the folder as the last argument. It runs a package in the folder of the request, with the package's folder first.
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

/** Refuses a folder without the packages that a program or a plugin needs. The stand-in installs nothing. */
export const checkPackages = (info: ProgramInfo): void => void sdkRunner("run-plugin", info.getProgramDirectory());

/** Finds a runner of the SDK that a program has in its `node_modules`, or in those of a parent folder. */
function sdkRunner(name: string, programDirectory: string): string {
  try {
    return createRequire(join(programDirectory, "package.json")).resolve(`@pulumi/pulumi/cmd/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(`${programDirectory} has no Pulumi SDK; run there: npm ci`);
  }
}

/** Passes `runtime.options` of a project to the SDK's runners. Names and defaults are those of the published language host. */
function environmentOf(info: ProgramInfo): NodeJS.ProcessEnv {
  const { typescript = true, tsconfig, ...others } = info.getOptions()?.toJavaScript() ?? {};
  const unsupported = Object.keys(others).find((name) => name !== "packagemanager");
  if (unsupported) throw new Error(`runtime.options.${unsupported}: the stand-in language host does not support it`);
  return {
    ...(typescript === true && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
    ...(typeof tsconfig === "string" && { PULUMI_NODEJS_TSCONFIG_PATH: resolve(info.getProgramDirectory(), tsconfig) }),
  };
}

/** Linux limits one string of the environment to this many bytes (MAX_ARG_STRLEN), including the terminating zero. */
const MAXIMUM_ENTRY = 128 * 1024;

/** The stack's config in the format that the SDK reads from the environment. */
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
