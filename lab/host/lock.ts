import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { LabError } from "./labError";

const PATIENCE_S = 1800;

/** Runs an action while holding a lock on a file. The lock is gone when this process is, however it ended. */
export async function withLock<T>(
  file: string,
  action: () => Promise<T>,
  onWait: () => void = () => undefined,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const release = await acquire(file, "--nonblock").catch(() => {
    onWait();
    return acquire(file, `--timeout=${PATIENCE_S}`);
  });
  try {
    return await action();
  } finally {
    release();
  }
}

/** The kernel holds the lock for a small child that ends with its standard input. */
async function acquire(file: string, patience: string): Promise<() => void> {
  const command = [patience, file, "sh", "-c", "echo locked; exec cat"];
  const holder = spawn("flock", command, { stdio: ["pipe", "pipe", "ignore"], detached: true });
  await Promise.race([once(holder.stdout, "readable"), once(holder, "exit")]);
  if (holder.stdout.read() === null) {
    throw new LabError(`could not lock ${file}`, "Another command is at work on the same thing; try again later.");
  }
  holder.stdout.destroy();
  holder.unref();
  return () => holder.stdin.end();
}

/** Serialises what concerns all labs of the machine: who has which number, and the kernel's settings. */
export const withMachineLock = <T>(action: () => Promise<T>): Promise<T> =>
  withLock("/run/lock/tls-bootstrap-lab-machine.lock", action);
