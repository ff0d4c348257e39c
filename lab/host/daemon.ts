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

/** A daemon that may run already. */
type Started = Pick<Daemon, "name" | "pidFile" | "logFile">;

/** Starts a daemon, or starts it again when it runs with another command line than it should. Waits until the probe succeeds. */
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

/** Starts a process that outlives this one. */
async function startDaemon(daemon: Daemon): Promise<void> {
  mkdirSync(dirname(daemon.pidFile), { recursive: true });
  mkdirSync(dirname(daemon.logFile), { recursive: true });
  const log = openSync(daemon.logFile, "a", 0o600);
  try {
    const child = spawn(join(__dirname, "daemon.sh"), [daemon.pidFile, ...daemon.command], {
      cwd: daemon.cwd ?? "/",
      // A daemon gets no more of the user's environment than it needs: no credentials, no proxies.
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

/** Ends a process that we started: asks first, and kills it when it has not gone in time. */
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
    throw new LabError(`the process of ${pidFile} (${pid}) does not end`);
  }
  rmSync(pidFile, { force: true });
}

/** Waits until the probe succeeds; says what the daemon's log says when it does not, or when the daemon has died. */
export async function waitReady(daemon: Started, probe: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const hasEnded = (): boolean => runningPid(daemon.pidFile) === undefined;
  const inTime = await waitUntil(async () => (await probe()) || hasEnded(), timeoutMs);
  if (hasEnded()) {
    throw daemonError(daemon, "ended while it was starting");
  }
  if (!inTime) {
    throw daemonError(daemon, `was not ready after ${Math.round(timeoutMs / 1000)} s`);
  }
}

function daemonError({ name, logFile }: Started, what: string): LabError {
  const lines = (readText(logFile) ?? "").trimEnd().split("\n").slice(-8).join("\n");
  return new LabError(
    `${name} ${what}.${lines === "" ? "" : ` Its last log lines:\n${lines.replace(/^/gm, "    ")}`}`,
    `See all of them with: npm run lab -- logs ${basename(logFile, ".log")}`,
  );
}
