import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { requireLab, type Lab } from "../lab";
import { REPOSITORY } from "../paths";
import type { Operation } from "../pulumi/events";
import type { OperationOptions } from "../pulumi/operation";
import type { PluginKind } from "../pulumi/plugins";
import { LAB_STACK, type StackRef, Workspace } from "../pulumi/workspace";
import { LabError } from "../system/errors";
import { interactive } from "../system/run";

export interface StackOptions extends OperationOptions {
  readonly name: string;
  readonly plugins?: PluginKind;
  readonly program?: string;
  readonly stack?: string;
  readonly configFile?: string;
}

function stackOf(lab: Lab, options: StackOptions): StackRef {
  const { stack = LAB_STACK } = options;
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
  return { program, stack, configFile };
}

async function openStack(options: StackOptions): Promise<{ workspace: Workspace; stack: StackRef }> {
  const lab = await requireLab(options.name);
  const stack = stackOf(lab, options);
  return { stack, workspace: await Workspace.open(lab, options.plugins) };
}

/** Runs one operation of the stack. Returns whether it succeeded; what it did has been printed. */
export async function stackOperation(operation: Operation, options: StackOptions): Promise<boolean> {
  const { workspace, stack } = await openStack(options);
  const { operate } = await import("../pulumi/operation.js");
  const result = await operate(workspace, operation, stack, options);
  if (options.json) {
    console.log(JSON.stringify(result, null, 2));
  }
  return result.ok;
}

export async function outputsOf(options: StackOptions & { showSecrets?: boolean }): Promise<Record<string, unknown>> {
  const { workspace, stack } = await openStack(options);
  await workspace.ensureStack(stack);
  return workspace.outputs(stack, options.showSecrets);
}

/** The commands that read a stack's settings file. */
const READ_SETTINGS = ["config", "destroy", "import", "logs", "preview", "refresh", "up", "update", "watch"];

/** Runs any command of the CLI with the lab's home, backend and passphrase, in the program's folder. Returns its exit status. */
export async function pulumi(args: readonly string[], options: StackOptions): Promise<number> {
  const { workspace, stack } = await openStack(options);
  await workspace.ensureStack(stack);
  const settings = READ_SETTINGS.includes(args[0]) && !args.some((arg) => arg.startsWith("--config-file"));
  return interactive(workspace.executable, [...args, ...(settings ? ["--config-file", stack.configFile] : [])], {
    cwd: stack.program,
    env: { ...workspace.environment, PULUMI_STACK: stack.stack },
  });
}
