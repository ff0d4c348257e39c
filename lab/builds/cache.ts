import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withLock } from "../host/lock";
import { removeTree } from "../host/mounts";
import { type Say, withHeartbeat } from "../cli/progress";
import { containedCommand, run, type RunOptions } from "../host/run";

/**
 * A file or folder that takes long to make: whole if it is there at all. When it is missing, `make` makes it at the path that it is given. Of
 * the things in one folder, one command at a time makes one.
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

/** Runs a command that takes minutes. It dies with this process, and its output stays in `<to>.log` when it fails. */
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

export interface GoProgram {
  /** Folder of the Go module that names the program: go.mod and go.sum. */
  readonly module: string;
  /** Import path of the program. */
  readonly program: string;
  readonly linkerFlags: string;
  /** Why it cannot be downloaded. */
  readonly refused: string;
}

/** Builds a program from a Go module. */
export async function buildGoProgram(
  { module, program, linkerFlags, refused }: GoProgram,
  to: string,
  say: Say,
): Promise<void> {
  // A build that is killed leaves its scratch files. The next build finds them here and removes them.
  const scratch = `${to}.build`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  const env = { CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "local", GOTMPDIR: scratch };
  const args = ["build", "-trimpath", "-ldflags", linkerFlags, "-o", to, program];
  const doing = `building from source (no official download: ${refused})`;
  await runLongCommand(say, doing, to, "go", args, { cwd: module, env });
  await rm(scratch, { recursive: true });
}
