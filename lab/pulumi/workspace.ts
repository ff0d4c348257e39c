import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { Lab } from "../labState";
import { LabError } from "../host/labError";
import { attempt } from "../host/run";
import { requireCli } from "./pulumiCli";
import { choosePlugins, installPlugins, type PluginKind } from "./plugins";

/** The stack that a lab's commands work on unless told otherwise. */
export const LAB_STACK = "lab";

/** A stack of a Pulumi program in a lab. */
export interface StackRef {
  /** The folder with Pulumi.yaml. */
  readonly program: string;
  readonly name: string;
  /** The stack's settings: a Pulumi.<stack>.yaml with passphrase secrets. */
  readonly configFile: string;
}

/**
 * The CLI for one stack, with a home, a backend and a passphrase of the lab's: nothing of the user's own Pulumi is used, but published
 * plugins.
 */
export class Workspace {
  private constructor(
    readonly stack: StackRef,
    /** The project's name, by which the backend knows the program. */
    private readonly project: string,
    readonly folder: string,
    /** What to run: the CLI, or a link to it that has the stand-in language host beside it. */
    readonly executable: string,
    readonly environment: Readonly<Record<string, string | undefined>>,
  ) {}

  /** Opens a stack, and makes it if there is none. */
  static async open(lab: Lab, stack: StackRef, asked?: PluginKind): Promise<Workspace> {
    const cli = await requireCli();
    const plugins = await choosePlugins(cli, asked);
    const folder = lab.paths.pulumi;
    // Commands that use other plugins have another home, so that they may run side by side.
    const home = join(folder, `home-${plugins.languageHost}-${plugins.resources}`);
    const backend = join(folder, "backend");
    await mkdir(backend, { recursive: true, mode: 0o700 });
    const executable = await installPlugins(cli, plugins, home);
    const workspace = new Workspace(stack, await projectName(stack.program), folder, executable, {
      PULUMI_HOME: home,
      // Without metadata, since a killed CLI can leave an empty metadata file, with which no command can read the state.
      PULUMI_BACKEND_URL: `file://${backend}?metadata=skip`,
      PULUMI_STACK: stack.name,
      PULUMI_CONFIG_PASSPHRASE_FILE: lab.paths.passphrase,
      PULUMI_CONFIG_PASSPHRASE: undefined,
      PULUMI_ACCESS_TOKEN: undefined,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // All plugins are in the home. Without these, the CLI searches PATH, and the network for seconds.
      PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      // Makes the flag --event-log known.
      PULUMI_DEBUG_COMMANDS: "true",
    });
    await workspace.ensureStack();
    return workspace;
  }

  /** Where the backend keeps the stack's state. */
  get stateFile(): string {
    return join(this.folder, "backend", ".pulumi", "stacks", this.project, `${this.stack.name}.json`);
  }

  /** The folder with a file for each command that holds the stack. */
  get locksFolder(): string {
    return join(this.folder, "backend", ".pulumi", "locks", "organization", this.project, this.stack.name);
  }

  private async ensureStack(): Promise<void> {
    if (existsSync(this.stateFile)) {
      return;
    }
    // `stack init` writes a settings file into the project. The backend knows a stack by the project's name alone, so another
    // folder with a project of that name serves.
    const folder = join(this.folder, "init", `${this.project}-${process.pid}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await writeFile(join(folder, "Pulumi.yaml"), `name: ${this.project}\nruntime: nodejs\n`);
      await this.capture(["stack", "init", this.stack.name, "--secrets-provider", "passphrase"], { cwd: folder });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Runs a command that must succeed and returns what it printed. */
  async capture(args: readonly string[], options: { cwd?: string; input?: string } = {}): Promise<string> {
    const result = await attempt(this.executable, [...args, "--non-interactive"], {
      cwd: this.stack.program,
      env: this.environment,
      ...options,
    });
    if (result.exitCode !== 0) {
      const words = args.slice(0, 2).join(" ");
      throw new LabError(`pulumi ${words} failed: ${result.stderr.trim() || result.stdout.trim()}`);
    }
    return result.stdout;
  }

  /** The outputs of the stack's last operation. Secrets read `[secret]` unless they are asked for. */
  async outputs(showSecrets = false): Promise<Record<string, unknown>> {
    const args = ["stack", "output", "--json", ...(showSecrets ? ["--show-secrets"] : [])];
    return JSON.parse((await this.capture(args)) || "{}") as Record<string, unknown>;
  }
}

async function projectName(program: string): Promise<string> {
  const file = join(program, "Pulumi.yaml");
  const project = parse(await readFile(file, "utf8")) as { name?: unknown } | null;
  if (typeof project?.name !== "string") {
    throw new LabError(`${file} has no "name:"`);
  }
  return project.name;
}
