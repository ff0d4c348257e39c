import { execFile, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { EngineError } from "../plugins/errors";
import { readProject } from "./project";
import { EventCollector } from "./pulumiEvents";
import type { Operation, OperationOptions, OperationResult, StackRef } from "./types";
import { without } from "../plugins/values";

/**
 * The real `pulumi` CLI, kept apart from the user's own: home, backend and passphrase are the lab's, and only the cache
 * of plugins is shared (by links).
 */
const plugins = ["command", "kubernetes", "random", "tls"];
/** Warnings about where plugins come from say nothing about the stack. */
const quietWarnings = /using pulumi-(resource|language)-\S+ from \$PATH/;

export type Finding = { usable: true } | { usable: false; reason: string };

/** Whether the CLI is on PATH, with its Node language host and every plugin the lab's programs need. */
export function findPulumi(): Promise<Finding> {
  const pulumi = onPath("pulumi");
  if (!pulumi) return Promise.resolve({ usable: false, reason: "pulumi is not on PATH" });
  const missing = plugins.filter((name) => !onPath(`pulumi-resource-${name}`) && !cachedPlugin(name));
  if (!onPath("pulumi-language-nodejs") && !existsSync(join(dirname(pulumi), "pulumi-language-nodejs"))) {
    return Promise.resolve({ usable: false, reason: `${pulumi} has no pulumi-language-nodejs beside it` });
  }
  if (missing.length === 0) return Promise.resolve({ usable: true });
  const list = missing.map((name) => `${name} ${sdkVersion(name)}`).join(", ");
  const remedy = "pulumi plugin install resource <name> <version>";
  return Promise.resolve({ usable: false, reason: `pulumi lacks the plugins ${list} (${remedy})` });
}

export async function operateWithPulumi(
  operation: Operation,
  stack: StackRef,
  options: OperationOptions,
): Promise<OperationResult> {
  const cli = await Cli.open(stack);
  const begun = Date.now();
  const events = new EventCollector();
  const log = join(cli.home, `events-${process.pid}.jsonl`);
  try {
    // Debug events among these carry secrets in clear: the file is ours alone, and gone right after.
    writeFileSync(log, "", { mode: 0o600 });
    const code = await cli.run(
      [...operationFlags(operation, stack, options), "--event-log", log],
      options.json ?? false,
    );
    events.readAll(readFileSync(log, "utf8"));
    const outputs = operation === "preview" ? {} : { outputs: await cli.outputs(false) };
    return { ...events.result(operation, code === 0), ...outputs, durationMs: Date.now() - begun };
  } finally {
    rmSync(log, { force: true });
  }
}

export async function outputsWithPulumi(stack: StackRef, showSecrets: boolean): Promise<Record<string, unknown>> {
  const cli = await Cli.open(stack);
  return cli.outputs(showSecrets);
}

function operationFlags(operation: Operation, stack: StackRef, options: OperationOptions): string[] {
  const runsProgram = operation === "preview" || operation === "up";
  const each = (flag: string, values: string[] | undefined): string[] =>
    (values ?? []).flatMap((value) => [flag, value]);
  return [
    operation,
    ...(operation === "preview" ? [] : ["--yes", "--skip-preview"]),
    ...["--config-file", resolve(stack.configFile), "--color", options.color ? "always" : "never"],
    ...(options.diff ? ["--diff"] : []),
    ...(options.parallel ? ["--parallel", String(options.parallel)] : []),
    ...(options.refresh && operation !== "refresh" ? ["--refresh"] : []),
    ...(options.expectNoChanges && operation !== "destroy" ? ["--expect-no-changes"] : []),
    ...each("--target", options.targets),
    ...(runsProgram ? each("--replace", options.replace) : []),
  ];
}

class Cli {
  private constructor(
    private readonly stack: StackRef,
    readonly home: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** Prepares home and backend, and makes sure that the stack exists. */
  static async open(stack: StackRef): Promise<Cli> {
    const root = join(resolve(stack.stateDir), "pulumi");
    const home = join(root, "home");
    const backend = join(root, "backend");
    for (const folder of [join(home, "plugins"), backend]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    linkPlugins(join(home, "plugins"));
    const cli = new Cli(stack, home, environmentOf(stack, home, backend));
    const { name } = readProject(stack.program);
    if (!existsSync(join(backend, ".pulumi", "stacks", name, `${stack.stack}.json`))) await cli.createStack(name, root);
    return cli;
  }

  /**
   * `stack init` writes a stack config file of its own into the project, so it runs in an empty project of the same
   * name. The backend knows stacks by project and name alone.
   */
  private async createStack(project: string, root: string): Promise<void> {
    const folder = join(root, "init", project);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "Pulumi.yaml"), `name: ${project}\nruntime: nodejs\n`);
    try {
      await this.capture(["stack", "init", this.stack.stack, "--secrets-provider", "passphrase", "--cwd", folder]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async outputs(showSecrets: boolean): Promise<Record<string, unknown>> {
    const flags = showSecrets ? ["--show-secrets"] : [];
    const text = await this.capture(["stack", "output", "--json", ...flags, ...this.target]);
    return JSON.parse(text || "{}") as Record<string, unknown>;
  }

  private get target(): string[] {
    return ["--stack", this.stack.stack, "--cwd", resolve(this.stack.program)];
  }

  /** Runs with the terminal handed through; the exit code tells how it went. */
  run(args: string[], quiet: boolean): Promise<number> {
    const child = spawn("pulumi", [...args, ...this.target, "--non-interactive"], {
      env: this.environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.setEncoding("utf8");
    const lines = new LineFilter((line) => {
      if (!quiet && !quietWarnings.test(line)) process.stdout.write(`${line}\n`);
    });
    child.stdout.on("data", (chunk: string) => lines.add(chunk)).on("end", () => lines.end());
    // Ctrl-C reaches the CLI as well, which ends in good order; until then this process stays.
    const wait = (): void => {};
    const pass = (): void => void child.kill("SIGINT");
    process.on("SIGINT", wait).on("SIGTERM", pass);
    return new Promise<number>((done, fail) => {
      child.on("error", fail);
      child.on("close", (code) => done(code ?? 1));
    }).finally(() => process.off("SIGINT", wait).off("SIGTERM", pass));
  }

  private async capture(args: string[]): Promise<string> {
    try {
      const options = { env: this.environment, maxBuffer: 64 * 1024 * 1024 };
      return (await promisify(execFile)("pulumi", [...args, "--non-interactive"], options)).stdout;
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new EngineError(`pulumi ${args.slice(0, 2).join(" ")} failed: ${stderr?.trim() || message}`);
    }
  }
}

/** Passes whole lines on. */
class LineFilter {
  private rest = "";

  constructor(private readonly line: (line: string) => void) {}

  add(chunk: string): void {
    const lines = (this.rest + chunk).split("\n");
    this.rest = lines.pop() ?? "";
    lines.forEach(this.line);
  }

  end(): void {
    if (this.rest !== "") this.line(this.rest);
  }
}

function environmentOf(stack: StackRef, home: string, backend: string): NodeJS.ProcessEnv {
  return {
    ...without(process.env, "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"),
    PULUMI_HOME: home,
    PULUMI_BACKEND_URL: `file://${backend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: resolve(stack.passphraseFile),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    // The type check belongs to the build; a run only transpiles.
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    // Makes `--event-log` known.
    PULUMI_DEBUG_COMMANDS: "true",
  };
}

/** Links what the user's own plugin cache has; nothing else of the user's home is used. */
function linkPlugins(folder: string): void {
  for (const name of plugins) {
    const found = cachedPlugin(name);
    const link = found && join(folder, `resource-${name}-v${sdkVersion(name)}`);
    if (link && !existsSync(link)) symlinkSync(found, link);
  }
}

function cachedPlugin(name: string): string | undefined {
  const home = process.env.PULUMI_HOME ?? join(homedir(), ".pulumi");
  const folder = join(home, "plugins", `resource-${name}-v${sdkVersion(name)}`);
  return existsSync(join(folder, `pulumi-resource-${name}`)) ? folder : undefined;
}

/** Plugin and SDK of one version belong together. */
function sdkVersion(name: string): string {
  const manifest = JSON.parse(readFileSync(require.resolve(`@pulumi/${name}/package.json`), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

function onPath(command: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(":").filter((folder) => folder !== "");
  return folders
    .map((folder) => join(folder, command))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
