import { existsSync } from "node:fs";
import { open, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runInTerminal } from "../host/run";
import { type Operation, type OperationResult, readEvents } from "./events";
import { awaitLocks, clearPendingCreates, hasPendingCreates } from "./interruption";
import { TAKE_OVER_VARIABLE } from "./plugins";
import type { Workspace } from "./workspace";

export interface OperationOptions {
  /** Show every property that changes. */
  readonly diff?: boolean;
  /** Print no progress. The caller prints the result as JSON. */
  readonly json?: boolean;
  /** Fail when something changes. */
  readonly expectNoChanges?: boolean;
  /** Update the state from the cluster first. */
  readonly refresh?: boolean;
  /** URNs of resources to replace. * and ** match any text. */
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

/** Runs one operation of a stack. A failed operation has a result with `ok: false`. The CLI has printed the reason. */
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
    // Events may contain secrets in plain text. Only root can read the file, and this function removes it.
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
    const events = await readEvents((await open(log)).readLines());
    const outputs = operation === "preview" ? {} : { outputs: await workspace.outputs() };
    return { operation, ok: code === 0, ...events, ...outputs, durationMs: Date.now() - begun };
  } finally {
    await rm(log, { force: true });
  }
}

async function removeLogs(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^events-(\d+)\.jsonl$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      await rm(join(folder, name), { force: true });
    }
  }
}
