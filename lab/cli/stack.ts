import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type LabOptions, requireLab } from "../labState";
import { REPOSITORY } from "../labPaths";
import type { Operation } from "../pulumi/events";
import { runOperation, type OperationOptions } from "../pulumi/operation";
import { LAB_STACK, Workspace } from "../pulumi/workspace";
import { LabError } from "../host/labError";
import { runInTerminal } from "../host/run";

export interface StackOptions extends LabOptions, OperationOptions {
  readonly program?: string;
  readonly stack?: string;
  readonly configFile?: string;
}

async function openStack(options: StackOptions): Promise<Workspace> {
  const lab = await requireLab(options.name);
  const program = resolve(options.program ?? REPOSITORY);
  if (!existsSync(join(program, "Pulumi.yaml"))) {
    throw new LabError(`${program} is not a Pulumi program: it has no Pulumi.yaml`);
  }
  const configFile = resolve(options.configFile ?? lab.paths.configFile);
  if (!existsSync(configFile)) {
    throw new LabError(
      `there is no ${configFile}`,
      options.configFile ? undefined : "Write it with: npm run lab -- up",
    );
  }
  return Workspace.open(lab, { program, name: options.stack ?? LAB_STACK, configFile }, options.plugins);
}

/** Runs one operation of the stack. Returns the exit status; what it did has been printed. */
export async function runStackOperation(operation: Operation, options: StackOptions): Promise<number> {
  const result = await runOperation(await openStack(options), operation, options);
  if (options.json) {
    console.log(JSON.stringify(result, null, 2));
  }
  return result.ok ? 0 : 1;
}

export interface OutputOptions extends StackOptions {
  readonly showSecrets?: boolean;
}

export async function stackOutputs(options: OutputOptions): Promise<Record<string, unknown>> {
  return (await openStack(options)).outputs(options.showSecrets);
}

/** The commands that read a stack's settings file. */
const READ_SETTINGS = ["config", "destroy", "import", "logs", "preview", "refresh", "up", "update", "watch"];

/** Runs any command of the CLI with the lab's home, backend and passphrase, in the program's folder. Returns its exit status. */
export async function runPulumi(options: StackOptions, args: readonly string[]): Promise<number> {
  const { executable, environment: env, stack } = await openStack(options);
  const settings = READ_SETTINGS.includes(args[0]) && !args.some((arg) => arg.startsWith("--config-file"));
  const argv = [...args, ...(settings ? ["--config-file", stack.configFile] : [])];
  return runInTerminal(executable, argv, { cwd: stack.program, env });
}
