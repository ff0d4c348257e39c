import { availableParallelism } from "node:os";
import { readFileSync } from "node:fs";
import { Deployment } from "./deployment/deployment";
import { stackType, typeOf, type ResourceState } from "./deployment/resource";
import { Reporter } from "./display/reporter";
import { EngineError, messageOf } from "../plugins/errors";
import { lockStack } from "./lock";
import { Crypter, prepareKey } from "./passphrase";
import { describeProgramError, findEntry, isEngineGone, preloadSdk, runProgram } from "./program";
import { applyProjectConfig, readProject, type Project } from "./project";
import { packages as allPackages } from "../plugins";
import type { Packages } from "../plugins/provider";
import { ProviderRegistry } from "./registry";
import { configForProgram, encryptionSaltOf, readStackConfig, type Config } from "./stackConfig";
import { Recorder } from "./recorder";
import { readState, stateFile, StateWriter, type PendingOperation } from "./state";
import type { Operation, OperationOptions, OperationResult, StackRef } from "./types";
import { maskable, masked, plain, Secret, type Props } from "../plugins/values";

export interface OperationIo {
  print: (line: string) => void;
  /** Replaces the real providers, in tests. */
  packages?: Packages;
  /** Called with what cancels the operation, for signals. */
  onCancel?: (cancel: () => void) => void;
}

/** Runs one operation of the embedded engine in this process. */
export async function runOperation(
  operation: Operation,
  stack: StackRef,
  options: OperationOptions,
  io: OperationIo,
): Promise<OperationResult> {
  const project = readProject(stack.program);
  const passphrase = readPassphrase(stack.passphraseFile);
  const salt = encryptionSaltOf(stack.configFile);
  const key = salt === undefined ? undefined : prepareKey(passphrase, salt);
  // Loading the SDK and deriving the key take half a second or more each; they do not need each other.
  if (operation === "preview" || operation === "up") preloadSdk(findEntry(project, stack.program));
  await key;
  const { crypter, config: stackConfig } = readStackConfig(stack.configFile, project.name, passphrase);
  const runsProgram = operation === "preview" || operation === "up";
  const config = runsProgram ? applyProjectConfig(project, stack.stack, stackConfig) : stackConfig;
  const file = stateFile(stack.stateDir, project.name, stack.stack);
  const unlock = operation === "preview" ? (): void => {} : lockStack(`${file}.lock`, operation);
  try {
    const run = new Run(operation, stack, options, io, { project, passphrase, crypter, config, file });
    return await run.perform();
  } finally {
    unlock();
  }
}

interface Setting {
  project: Project;
  passphrase: string;
  crypter: Crypter;
  config: Config;
  file: string;
}

class Run {
  private readonly reporter: Reporter;
  private readonly deployment: Deployment;
  private readonly writer: StateWriter;
  private programErrors = 0;

  constructor(
    private readonly operation: Operation,
    private readonly stack: StackRef,
    private readonly options: OperationOptions,
    io: OperationIo,
    private readonly setting: Setting,
  ) {
    const { project, config, crypter, file, passphrase } = setting;
    const reporter = new Reporter({
      operation,
      stack: stack.stack,
      diff: options.diff ?? false,
      color: options.color ?? false,
      print: options.json ? () => {} : io.print,
    });
    this.reporter = reporter;
    reporter.hide([passphrase, ...configSecrets(config)]);
    const base = readState(file, (salt) => Crypter.open(passphrase, salt));
    this.writer = new StateWriter(file, crypter);
    this.warnOfPending(base.pending);
    const preview = operation === "preview";
    const registry = new ProviderRegistry(io.packages ?? allPackages, {
      log: (severity, urn, message) => reporter.diagnostic(severity, urn, message),
      status: (urn, message) => reporter.status(urn, message),
    });
    this.deployment = new Deployment(
      base.resources,
      registry,
      {
        stack: stack.stack,
        project: project.name,
        preview,
        parallel: this.parallel,
        replace: options.replace,
        targets: options.targets,
        defaultProviderInputs: (pkg) => providerConfig(config, pkg),
        save: (resources, settled) => this.writer.save(resources, settled),
      },
      preview ? reporter : new Recorder(reporter, this.writer, () => this.deployment.resources),
    );
    io.onCancel?.(() => {
      reporter.diagnostic("info", undefined, "cancelled: waiting for what has begun, starting nothing new");
      this.deployment.interrupt();
    });
  }

  private get parallel(): number {
    return this.options.parallel ?? 4 * availableParallelism();
  }

  async perform(): Promise<OperationResult> {
    const { deployment, operation, options } = this;
    try {
      if (options.refresh || operation === "refresh") await deployment.refresh();
      if (operation === "destroy" && !deployment.failed) await deployment.destroy();
      if ((operation === "preview" || operation === "up") && !deployment.failed) await this.runProgram();
    } catch (error) {
      deployment.fail(undefined, error);
    }
    await deployment.settle();
    return this.result();
  }

  private async runProgram(): Promise<void> {
    const { deployment, setting, stack, reporter } = this;
    const { project } = setting;
    const entry = findEntry(project, stack.program);
    const reported = new Set<unknown>();
    let endless = (): void => {};
    const stuck = new Promise<void>((resolve) => (endless = resolve));
    const report = (error: unknown): void => {
      if (isEngineGone(error) || reported.has(error)) return;
      reported.add(error);
      this.programErrors++;
      reporter.diagnostic("error", undefined, describeProgramError(error, entry.file));
      // What waits for a resource that could not be registered would wait for ever. Node ends such a program, since nothing is left to happen.
      void this.quiet().then(endless);
    };
    // Errors in applies end up here: nobody awaits the promises of resources.
    process.on("uncaughtException", report).on("unhandledRejection", report);
    try {
      const program = runProgram(
        {
          project,
          entry,
          folder: stack.program,
          stack: stack.stack,
          preview: this.operation === "preview",
          parallel: this.parallel,
          config: configForProgram(setting.config),
          diagnostic: (severity, urn, message) => {
            if (severity === "error") this.programErrors++;
            reporter.diagnostic(severity, urn, message);
          },
          readStack: (reference) => this.readStack(reference),
        },
        deployment,
      ).catch(report);
      await Promise.race([program, deployment.cancelled, stuck]);
      await deployment.settle();
      // Rejections that nobody handles are told one turn later.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.programErrors > 0) deployment.failed = true;
      await deployment.finish();
    } finally {
      process.off("uncaughtException", report).off("unhandledRejection", report);
    }
  }

  /** Resolves when nothing runs any more and the program begins nothing new. */
  private async quiet(): Promise<void> {
    const { deployment } = this;
    for (let before = -1; before !== deployment.begun;) {
      await deployment.settle();
      before = deployment.begun;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  private result(): OperationResult {
    const { deployment, options, reporter, operation } = this;
    let ok = !deployment.failed && !deployment.interrupted;
    if (deployment.interrupted) reporter.diagnostic("error", undefined, `${operation} canceled`);
    const outputs = operation === "preview" ? undefined : stackOutputsOf(deployment.resources);
    if (ok && options.expectNoChanges && reporter.hasChanges) {
      reporter.diagnostic("error", undefined, "no changes were expected but changes occurred");
      ok = false;
    }
    return reporter.finish(ok, outputs && (masked(outputs) as Record<string, unknown>));
  }

  private warnOfPending(pending: PendingOperation[]): void {
    for (const { urn, type } of pending) {
      this.reporter.diagnostic(
        "warning",
        urn,
        `the last operation was cut off while ${type} this resource: what it left behind is not in the state`,
      );
    }
  }

  private readStack(reference: string): { outputs: Props; secretNames: string[] } {
    const { setting, stack } = this;
    const [name, project = setting.project.name] = reference.split("/").reverse();
    const file = stateFile(stack.stateDir, project, name ?? "");
    const { resources } = readState(file, (salt) => Crypter.open(setting.passphrase, salt));
    const root = resources.find((state) => state.type === stackType);
    if (!root) throw new EngineError(`unknown stack "${reference}"`);
    const secretNames = Object.keys(root.outputs).filter((key) => root.outputs[key] instanceof Secret);
    return { outputs: root.outputs, secretNames };
  }
}

export function readPassphrase(file: string): string {
  try {
    return readFileSync(file, "utf8").trimEnd();
  } catch (error) {
    throw new EngineError(`cannot read the passphrase file: ${messageOf(error)}`);
  }
}

function stackOutputsOf(resources: ResourceState[]): Props | undefined {
  return resources.find((state) => typeOf(state.urn) === stackType)?.outputs;
}

/** The outputs of a stack as the last operation left them. */
export function readOutputs(stack: StackRef, showSecrets: boolean): Record<string, unknown> {
  const project = readProject(stack.program);
  const passphrase = readPassphrase(stack.passphraseFile);
  const file = stateFile(stack.stateDir, project.name, stack.stack);
  const { resources } = readState(file, (salt) => Crypter.open(passphrase, salt));
  const outputs = stackOutputsOf(resources) ?? {};
  return (showSecrets ? plain(outputs) : masked(outputs)) as Record<string, unknown>;
}

/** `kubernetes:kubeconfig` and the like configure the default provider of that package. */
function providerConfig(config: Config, pkg: string): Props {
  const entries = Object.entries(config).filter(([key]) => key.startsWith(`${pkg}:`));
  return Object.fromEntries(
    entries.map(([key, { value, secrets }]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return [key.slice(pkg.length + 1), secrets.length > 0 ? new Secret(text) : text];
    }),
  );
}

/** What was encrypted in the config file, wherever inside a value. */
function configSecrets(config: Config): string[] {
  return Object.values(config).flatMap(({ secrets }) => secrets.flatMap(maskable));
}
