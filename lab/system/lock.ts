import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { LabError } from "./errors";

const LOCK_TIMEOUT_S = 1800;

/**
 * Runs an action while holding a lock on a file. The kernel holds it for a small child that ends with its standard input,
 * so the lock is gone when this process is, however it ended.
 */
export async function withLock<T>(file: string, onWait: () => void, action: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const release = await acquire(file, onWait);
  try {
    return await action();
  } finally {
    release();
  }
}

function acquire(file: string, onWait: () => void): Promise<() => void> {
  const script = `
    exec 9>>"$1"
    flock -n 9 || { echo waiting; flock -w ${LOCK_TIMEOUT_S} 9; } || exit 1
    echo locked
    exec cat
  `;
  return new Promise((resolve, reject) => {
    const holder = spawn("sh", ["-c", script, "sh", file], { stdio: ["pipe", "pipe", "ignore"], detached: true });
    const refuse = (): void =>
      reject(new LabError(`could not lock ${file}`, "Another command is at work on the same thing; try again later."));
    holder.once("error", refuse);
    holder.once("exit", refuse);
    holder.stdout.on("data", (data: Buffer) => {
      const said = data.toString();
      if (said.includes("waiting")) {
        onWait();
      }
      if (said.includes("locked")) {
        holder.stdout.destroy();
        holder.unref();
        resolve(() => holder.stdin.end());
      }
    });
  });
}

/** Serialises what concerns all labs of the machine: who has which number, and the kernel's settings. */
export const MACHINE_LOCK = "/run/lock/tls-bootstrap-lab-machine.lock";
