import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { requireBinary } from "../builds/kubernetes/binaries";
import { labCommand, type LabOptions, requireLab } from "../labState";
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
    throw new LabError(`${program} has no Pulumi.yaml`, "Give the folder of a Pulumi program with --program.");
  }
  const configFile = resolve(options.configFile ?? lab.paths.configFile);
  if (!existsSync(configFile)) {
    throw new LabError(
      `the settings file ${configFile} does not exist`,
      options.configFile ? "Give an existing file with --config-file." : `Write it: ${labCommand(lab.name, "up")}`,
    );
  }
  return Workspace.open(lab, { program, name: options.stack ?? LAB_STACK, configFile }, options.plugins);
}

/** Runs one operation of the stack, prints its result and returns the exit status. */
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

/** Compares the nodes with what the stack declares, by `npm run status`. Returns its exit status. */
export async function runStackStatus(options: StackOptions): Promise<number> {
  const { paths, settings } = await requireLab(options.name);
  const { executable, environment, stack } = await openStack(options);
  const kubectl = await requireBinary("kubectl", settings.kubernetesVersion);
  const args = ["run", "--silent", "status", "--", stack.name, "--kubeconfig", paths.kubeconfig];
  const path = [dirname(executable), dirname(kubectl), process.env.PATH].join(":");
  return runInTerminal("npm", [...args, ...(options.json ? ["--json"] : [])], {
    cwd: REPOSITORY,
    env: { ...environment, PATH: path },
  });
}

/** Runs a command for which `pulumi` is the lab's, with the lab's backend and passphrase. Returns its exit status. */
export async function runWithPulumi(options: StackOptions, [command, ...args]: readonly string[]): Promise<number> {
  const { executable, environment } = await openStack(options);
  const path = [dirname(executable), process.env.PATH].join(":");
  return runInTerminal(command, args, { env: { ...environment, PATH: path } });
}

/** The commands that have the flag --config-file. */
const CONFIG_FILE_COMMANDS = ["config", "destroy", "import", "logs", "preview", "refresh", "up", "update", "watch"];

/** Runs any Pulumi command in the program's folder, with the lab's home, backend and passphrase. Returns its exit status. */
export async function runPulumi(options: StackOptions, args: readonly string[]): Promise<number> {
  const { executable, environment: env, stack } = await openStack(options);
  const settings = CONFIG_FILE_COMMANDS.includes(args[0]) && !args.some((arg) => arg.startsWith("--config-file"));
  const argv = [...args, ...(settings ? ["--config-file", stack.configFile] : [])];
  return runInTerminal(executable, argv, { cwd: stack.program, env });
}
