import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";

/** How long a program may take to end after it was asked to. */
const GRACE_MS = 5000;

export interface NodeProcess {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** How a process ended: by its exit code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();

/**
 * Starts Node.js. The kernel kills the process when the language host ends, also when the host is killed: a program that goes on
 * without its engine would wait for an answer that never comes.
 */
export function startNode({ args, cwd, environment }: NodeProcess): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, ...args], {
    cwd,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("close", () => running.delete(child));
  return child;
}

/** Resolves when the process has ended and everything that it wrote was read. Rejects when it could not be started. */
export const exitOf = (child: ChildProcess): Promise<Exit> =>
  new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });

/** Interrupts a process, as Ctrl-C does, and kills it when it goes on. */
export function stopProcess(child: ChildProcess): void {
  child.kill("SIGINT");
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
}

export const stopProcesses = (): void => running.forEach(stopProcess);
