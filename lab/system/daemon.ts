import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tail } from "./files";
import { LabError } from "./errors";
import { runningPid } from "./pidFile";

export interface Daemon {
  readonly name: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

const POLL_MS = 50;

/** Starts a process that outlives this one; does nothing when it runs already. */
export async function startDaemon(daemon: Daemon): Promise<void> {
  if (runningPid(daemon.pidFile) !== undefined) {
    return;
  }
  rmSync(daemon.pidFile, { force: true });
  mkdirSync(dirname(daemon.pidFile), { recursive: true });
  mkdirSync(dirname(daemon.logFile), { recursive: true });
  const log = openSync(daemon.logFile, "a", 0o600);
  try {
    const child = spawn(join(__dirname, "daemon.sh"), [daemon.pidFile, ...daemon.command], {
      cwd: daemon.cwd ?? "/",
      // A daemon gets no more of the user's environment than it needs: no credentials, no proxies.
      env: { PATH: process.env.PATH ?? "", HOME: "/root", LANG: "C.UTF-8", ...daemon.env },
      detached: true,
      stdio: ["ignore", log, log],
    });
    child.on("error", () => undefined);
    child.unref();
  } finally {
    closeSync(log);
  }
  for (let waited = 0; runningPid(daemon.pidFile) === undefined; waited += POLL_MS) {
    if (waited > 3000) {
      throw await daemonError(daemon, "did not start");
    }
    await sleep(POLL_MS);
  }
}

/** Whether the process that runs was started with this very command line. */
export function runsAs(daemon: Daemon): boolean {
  const pid = runningPid(daemon.pidFile);
  if (pid === undefined) {
    return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") === `${daemon.command.join("\0")}\0`;
  } catch {
    return false;
  }
}

function signal(pidFile: string, name: NodeJS.Signals): void {
  const pid = runningPid(pidFile);
  if (pid === undefined) {
    return;
  }
  try {
    process.kill(pid, name);
  } catch {
    // It went away by itself in between.
  }
}

/** Ends a process that we started: asks first, and kills it when it has not gone in time. */
export async function stopDaemon(pidFile: string, graceMs = 5000): Promise<void> {
  for (const [name, patience] of [["SIGTERM", graceMs] as const, ["SIGKILL", 5000] as const]) {
    signal(pidFile, name);
    for (let waited = 0; waited < patience && runningPid(pidFile) !== undefined; waited += POLL_MS) {
      await sleep(POLL_MS);
    }
  }
  if (runningPid(pidFile) !== undefined) {
    throw new LabError(`the process of ${pidFile} (${runningPid(pidFile)}) does not end`);
  }
  rmSync(pidFile, { force: true });
}

/** Waits until the probe succeeds; says what the daemon's log says when it does not, or when the daemon has died. */
export async function waitReady(
  daemon: Pick<Daemon, "name" | "pidFile" | "logFile">,
  probe: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await probe())) {
    if (runningPid(daemon.pidFile) === undefined) {
      throw await daemonError(daemon, "ended while it was starting");
    }
    if (Date.now() > deadline) {
      throw await daemonError(daemon, `was not ready after ${Math.round(timeoutMs / 1000)} s`);
    }
    await sleep(POLL_MS);
  }
}

async function daemonError(daemon: Pick<Daemon, "name" | "logFile">, what: string): Promise<LabError> {
  const lines = await tail(daemon.logFile, 8);
  return new LabError(
    `${daemon.name} ${what}.${lines === "" ? "" : ` Its last log lines:\n${lines.replace(/^/gm, "    ")}`}`,
    `See all of them with: npm run lab -- logs ${basename(daemon.logFile, ".log")}`,
  );
}
