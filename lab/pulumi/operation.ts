import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EventCollector, type Operation, type OperationResult } from "./events";
import { awaitLocks, clearPendingCreates, hasPendingCreates } from "./interruption";
import { TAKE_OVER } from "./plugins";
import type { StackRef, Workspace } from "./workspace";

export interface OperationOptions {
  /** Show every property that changes. */
  readonly diff?: boolean;
  /** Show nothing of the progress: the caller prints the result. */
  readonly json?: boolean;
  /** Any change is an error. */
  readonly expectNoChanges?: boolean;
  /** Read every resource first. */
  readonly refresh?: boolean;
  /** URNs, or patterns of such, of resources to replace. */
  readonly replace?: readonly string[];
}

function flagsOf(operation: Operation, { stack, configFile }: StackRef, options: OperationOptions): string[] {
  const runsProgram = operation === "preview" || operation === "up";
  return [
    operation,
    ...(operation === "preview" ? [] : ["--yes", "--skip-preview"]),
    ...["--stack", stack, "--config-file", configFile, "--non-interactive"],
    ...["--color", process.stdout.isTTY && !options.json && !process.env.NO_COLOR ? "always" : "never"],
    ...(options.diff ? ["--diff"] : []),
    ...(options.refresh && operation !== "refresh" ? ["--refresh"] : []),
    ...(options.expectNoChanges && operation !== "destroy" ? ["--expect-no-changes"] : []),
    ...(runsProgram ? (options.replace ?? []).flatMap((urn) => ["--replace", urn]) : []),
  ];
}

/** Runs one operation of a stack. An operation that fails gives a result with `ok: false`; the CLI has said why. */
export async function operate(
  workspace: Workspace,
  operation: Operation,
  stack: StackRef,
  options: OperationOptions = {},
): Promise<OperationResult> {
  const begun = Date.now();
  await workspace.ensureStack(stack);
  await awaitLocks(workspace, stack);
  const isInterrupted = operation === "up" && (await hasPendingCreates(workspace, stack));
  const log = join(workspace.folder, `events-${process.pid}.jsonl`);
  await removeLogs(workspace.folder);
  try {
    // Some events carry secrets in clear, so the file is root's alone, and gone right after.
    await writeFile(log, "", { mode: 0o600 });
    const args = [...flagsOf(operation, stack, options), "--event-log", log];
    const code = await runCli(workspace, args, stack, {
      ...options,
      env: isInterrupted ? { [TAKE_OVER]: "true" } : {},
    });
    if (isInterrupted && code === 0) {
      await clearPendingCreates(workspace, stack);
    }
    const events = new EventCollector();
    events.readAll(await readFile(log, "utf8"));
    const outputs = operation === "preview" ? {} : { outputs: await workspace.outputs(stack) };
    return { ...events.result(operation, code === 0), ...outputs, durationMs: Date.now() - begun };
  } finally {
    await rm(log, { force: true });
  }
}

/** Removes the logs that commands left which were killed. */
async function removeLogs(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^events-(\d+)\.jsonl$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      await rm(join(folder, name), { force: true });
    }
  }
}

/** Runs the CLI with the terminal handed through. Returns its exit status. */
function runCli(
  { executable, environment }: Workspace,
  args: readonly string[],
  { program }: StackRef,
  { json, env }: OperationOptions & { readonly env: Record<string, string> },
): Promise<number> {
  const child = spawn(executable, args, {
    cwd: program,
    env: { ...process.env, ...environment, ...env },
    stdio: ["ignore", json ? "ignore" : "inherit", "inherit"],
  });
  // The terminal's Ctrl-C reaches the CLI too, which then ends in good order. Until then this process stays.
  const stay = (): void => {};
  const pass = (): void => void child.kill("SIGINT");
  process.on("SIGINT", stay).on("SIGTERM", pass);
  return new Promise<number>((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done(code ?? 1));
  }).finally(() => process.off("SIGINT", stay).off("SIGTERM", pass));
}
