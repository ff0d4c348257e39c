import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { LabError } from "./labError";

const PATIENCE_S = 1800;

/**
 * Runs an action while this process holds the lock of a file. The lock ends with this process, also when it is killed.
 * @param onWait called when another process holds the lock
 */
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

/** Starts a child process that holds the lock until its standard input is closed, which the kernel does when this process ends. */
async function acquire(file: string, patience: string): Promise<() => void> {
  const command = [patience, file, "sh", "-c", "echo locked; exec cat"];
  const holder = spawn("flock", command, { stdio: ["pipe", "pipe", "ignore"], detached: true });
  await Promise.race([once(holder.stdout, "readable"), once(holder, "exit")]);
  if (holder.stdout.read() === null) {
    throw new LabError(
      `cannot lock ${file}: another command has held the lock for ${PATIENCE_S / 60} minutes`,
      "Find that command: lslocks --output PID,COMMAND,PATH",
    );
  }
  holder.stdout.destroy();
  holder.unref();
  return () => holder.stdin.end();
}

/** Holds the lock for what all labs of the machine share: the lab numbers and the kernel settings. */
export const withMachineLock = <T>(action: () => Promise<T>): Promise<T> =>
  withLock("/run/lock/tls-bootstrap-lab-machine.lock", action);
