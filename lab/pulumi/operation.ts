import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runInTerminal } from "../host/run";
import { type Operation, type OperationResult, readEvents } from "./events";
import { awaitLocks, clearPendingCreates, hasPendingCreates } from "./interruption";
import { TAKE_OVER_VARIABLE } from "./plugins";
import type { Workspace } from "./workspace";

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

function flagsOf(operation: Operation, configFile: string, options: OperationOptions): string[] {
  const runsProgram = operation === "preview" || operation === "up";
  return [
    operation,
    ...(operation === "preview" ? [] : ["--yes", "--skip-preview"]),
    ...["--config-file", configFile, "--non-interactive"],
    ...["--color", process.stdout.isTTY && !options.json && !process.env.NO_COLOR ? "always" : "never"],
    ...(options.diff ? ["--diff"] : []),
    ...(options.refresh && operation !== "refresh" ? ["--refresh"] : []),
    ...(options.expectNoChanges && operation !== "destroy" ? ["--expect-no-changes"] : []),
    ...(runsProgram ? (options.replace ?? []).flatMap((urn) => ["--replace", urn]) : []),
  ];
}

/** Runs one operation of a stack. An operation that fails gives a result with `ok: false`; the CLI has said why. */
export async function runOperation(
  workspace: Workspace,
  operation: Operation,
  options: OperationOptions,
): Promise<OperationResult> {
  const begun = Date.now();
  await awaitLocks(workspace);
  const isInterrupted = operation === "up" && (await hasPendingCreates(workspace));
  const log = join(workspace.folder, `events-${process.pid}.jsonl`);
  await removeLogs(workspace.folder);
  try {
    // Some events carry secrets in clear, so the file is root's alone, and gone right after.
    await writeFile(log, "", { mode: 0o600 });
    const args = [...flagsOf(operation, workspace.stack.configFile, options), "--event-log", log];
    const code = await runInTerminal(workspace.executable, args, {
      cwd: workspace.stack.program,
      env: { ...workspace.environment, ...(isInterrupted && { [TAKE_OVER_VARIABLE]: "true" }) },
      stdio: ["ignore", options.json ? "ignore" : "inherit", "inherit"],
    });
    if (isInterrupted && code === 0) {
      await clearPendingCreates(workspace);
    }
    const events = readEvents(await readFile(log, "utf8"));
    const outputs = operation === "preview" ? {} : { outputs: await workspace.outputs() };
    return { operation, ok: code === 0, ...events, ...outputs, durationMs: Date.now() - begun };
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
