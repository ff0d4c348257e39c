import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { Lab } from "../labState";
import { LabError } from "../host/labError";
import { attempt } from "../host/run";
import { requireCli } from "./pulumiCli";
import { choosePlugins, installPlugins, type PluginKind } from "./plugins";
import { installYamlHost } from "./yamlHost";

/** The name of the stack that the lab's commands use by default. */
export const LAB_STACK = "lab";

/** A stack of a Pulumi program in a lab. */
export interface StackRef {
  /** The folder with Pulumi.yaml. */
  readonly program: string;
  readonly name: string;
  /** The stack's settings file, such as Pulumi.lab.yaml. Its secrets are encrypted with the lab's passphrase. */
  readonly configFile: string;
}

/** Runs the CLI for one stack, with the lab's home, backend and passphrase. Of the user's own Pulumi, only published plugins are used. */
export class Workspace {
  private constructor(
    readonly stack: StackRef,
    /** The project's name. The backend files stacks under this name. */
    private readonly project: string,
    readonly folder: string,
    /** The CLI, or a link to the CLI beside the stand-in language host. */
    readonly executable: string,
    readonly environment: Readonly<Record<string, string | undefined>>,
  ) {}

  /** Opens a stack. Makes the stack first when it does not exist. */
  static async open(lab: Lab, stack: StackRef, asked?: PluginKind): Promise<Workspace> {
    const cli = await requireCli();
    const plugins = await choosePlugins(cli, asked);
    const folder = lab.paths.pulumi;
    // One home for each choice of plugins, so that commands with different plugins can run at the same time.
    const home = join(folder, `home-${plugins.languageHost}-${plugins.resources}`);
    const backend = join(folder, "backend");
    await mkdir(backend, { recursive: true, mode: 0o700 });
    const executable = await installPlugins(cli, plugins, home);
    const { name, runtime } = await projectOf(stack.program);
    if (runtime === "yaml" && plugins.languageHost === "stand-in") await installYamlHost(executable);
    const workspace = new Workspace(stack, name, folder, executable, {
      PULUMI_HOME: home,
      // A killed CLI can leave an empty metadata file, and then no command can read the state. So the backend has no metadata.
      PULUMI_BACKEND_URL: `file://${backend}?metadata=skip`,
      PULUMI_STACK: stack.name,
      PULUMI_CONFIG_PASSPHRASE_FILE: lab.paths.passphrase,
      PULUMI_CONFIG_PASSPHRASE: undefined,
      PULUMI_ACCESS_TOKEN: undefined,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // All plugins are in the home. Without these variables, the CLI searches PATH, and for seconds the network.
      PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      // The CLI has the flag --event-log only with this variable.
      PULUMI_DEBUG_COMMANDS: "true",
    });
    await workspace.ensureStack();
    return workspace;
  }

  /** The file in which the backend keeps the stack's state. */
  get stateFile(): string {
    return join(this.folder, "backend", ".pulumi", "stacks", this.project, `${this.stack.name}.json`);
  }

  /** The folder in which each command that holds the stack's lock has a file. */
  get locksFolder(): string {
    return join(this.folder, "backend", ".pulumi", "locks", "organization", this.project, this.stack.name);
  }

  private async ensureStack(): Promise<void> {
    if (existsSync(this.stateFile)) {
      return;
    }
    // `stack init` writes a settings file into the project's folder, so it runs in a folder with a project of the same name.
    const folder = join(this.folder, "init", `${this.project}-${process.pid}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await writeFile(join(folder, "Pulumi.yaml"), `name: ${this.project}\nruntime: nodejs\n`);
      await this.capture(["stack", "init", this.stack.name, "--secrets-provider", "passphrase"], { cwd: folder });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * Runs a Pulumi command and returns its output.
   * @throws LabError when the command fails
   */
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

  /** The outputs of the stack's last operation, with `[secret]` for secrets unless `showSecrets` is set. */
  async outputs(showSecrets = false): Promise<Record<string, unknown>> {
    const args = ["stack", "output", "--json", ...(showSecrets ? ["--show-secrets"] : [])];
    return JSON.parse((await this.capture(args)) || "{}") as Record<string, unknown>;
  }
}

async function projectOf(program: string): Promise<{ name: string; runtime?: unknown }> {
  const file = join(program, "Pulumi.yaml");
  const project = parse(await readFile(file, "utf8")) as { name?: unknown; runtime?: unknown } | null;
  if (typeof project?.name !== "string") {
    throw new LabError(`${file} has no "name"`, "Add the project's name, for example: name: tls-bootstrap");
  }
  return { name: project.name, runtime: project.runtime };
}
