import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LabError } from "./labError";
import { readText, runningPid, sendSignal } from "./pidFile";
import { waitUntil } from "./waitUntil";

export interface Daemon {
  readonly name: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly command: readonly string[];
  readonly cwd?: string;
}

/** What identifies a daemon that may be running. */
type DaemonFiles = Pick<Daemon, "name" | "pidFile" | "logFile">;

/**
 * Starts a daemon, or restarts it when it runs with another command line. Waits until the probe succeeds.
 * @param graceMs how long a running daemon may take to end before it is killed
 */
export async function ensureDaemon(
  daemon: Daemon,
  probe: () => Promise<boolean>,
  timeoutMs: number,
  graceMs?: number,
): Promise<void> {
  const pid = runningPid(daemon.pidFile);
  if (pid === undefined || readText(`/proc/${pid}/cmdline`) !== `${daemon.command.join("\0")}\0`) {
    await stopDaemon(daemon.pidFile, graceMs);
    await startDaemon(daemon);
  }
  await waitReady(daemon, probe, timeoutMs);
}

/** Starts the daemon as a process that survives this one. */
async function startDaemon(daemon: Daemon): Promise<void> {
  mkdirSync(dirname(daemon.pidFile), { recursive: true });
  mkdirSync(dirname(daemon.logFile), { recursive: true });
  const log = openSync(daemon.logFile, "a", 0o600);
  try {
    const child = spawn(join(__dirname, "daemon.sh"), [daemon.pidFile, ...daemon.command], {
      cwd: daemon.cwd ?? "/",
      // Without the user's environment, a daemon gets no credentials and no proxy settings.
      env: { PATH: process.env.PATH ?? "", HOME: "/root", LANG: "C.UTF-8" },
      detached: true,
      stdio: ["ignore", log, log],
    });
    child.on("error", () => undefined);
    child.unref();
  } finally {
    closeSync(log);
  }
  if (!(await waitUntil(() => runningPid(daemon.pidFile) !== undefined, 3000))) {
    throw daemonError(daemon, "did not start");
  }
}

/** Ends the process of a pid file. Sends SIGTERM first, and SIGKILL when the process still runs after `graceMs`. */
export async function stopDaemon(pidFile: string, graceMs = 5000): Promise<void> {
  for (const [signal, patience] of [["SIGTERM", graceMs] as const, ["SIGKILL", 5000] as const]) {
    const pid = runningPid(pidFile);
    if (pid !== undefined) {
      sendSignal(pid, signal);
      await waitUntil(() => runningPid(pidFile) === undefined, patience);
    }
  }
  const pid = runningPid(pidFile);
  if (pid !== undefined) {
    throw new LabError(`process ${pid} of ${pidFile} does not end`, `See what it waits for: cat /proc/${pid}/status`);
  }
  rmSync(pidFile, { force: true });
}

/**
 * Waits until the probe succeeds.
 * @throws LabError with the last lines of the daemon's log when the daemon ends, or is not ready in time
 */
export async function waitReady(daemon: DaemonFiles, probe: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const hasEnded = (): boolean => runningPid(daemon.pidFile) === undefined;
  const inTime = await waitUntil(async () => (await probe()) || hasEnded(), timeoutMs);
  if (hasEnded()) {
    throw daemonError(daemon, "ended while it was starting");
  }
  if (!inTime) {
    throw daemonError(daemon, `was not ready after ${Math.round(timeoutMs / 1000)} s`);
  }
}

function daemonError({ name, logFile }: DaemonFiles, what: string): LabError {
  const lines = (readText(logFile) ?? "").trimEnd().split("\n").slice(-8).join("\n");
  return new LabError(
    `${name} ${what}.${lines === "" ? "" : ` Its last log lines:\n${lines.replace(/^/gm, "    ")}`}`,
    `See the whole log: npm run lab -- logs ${basename(logFile, ".log")}`,
  );
}
