import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withLock } from "../host/lock";
import { removeTree } from "../host/mounts";
import { containedCommand, run, type RunOptions } from "../host/run";
import { type Say, withHeartbeat } from "../host/say";

/**
 * Returns a file or folder of the cache and makes it when it is missing. An interrupted command never leaves it half made: `make` gets
 * another path, which is renamed at the end. A lock lets one command at a time make something in the same folder.
 */
export async function ensureCached(path: string, say: Say, make: (staging: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) {
    return path;
  }
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const makeIfMissing = async (): Promise<void> => {
    if (!existsSync(path)) {
      const staging = `${path}.new`;
      await removeTree(staging);
      await make(staging);
      await rename(staging, path);
    }
  };
  await withLock(join(folder, ".lock"), makeIfMissing, () => say("waiting for another command that makes it"));
  return path;
}

/** Runs a command that takes minutes. The command ends with this process. After a failure, `<to>.log` has its output. */
export async function runLongCommand(
  say: Say,
  doing: string,
  to: string,
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<void> {
  const logFile = `${to}.log`;
  await rm(logFile, { force: true });
  await withHeartbeat(say, doing, () => run(...containedCommand(command, args), { cwd: "/", ...options, logFile }));
  await rm(logFile);
}
