import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "../plugins/errors";

interface Owner {
  pid: number;
  /** Tells a living owner from another process that got its number later. */
  started: string;
  operation: string;
  since: string;
}

/** Keeps two operations off one stack. A lock whose owner is gone is taken over. Returns the release. */
export function lockStack(file: string, operation: string): () => void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const me: Owner = {
    pid: process.pid,
    started: startTime(process.pid) ?? "",
    operation,
    since: new Date().toISOString(),
  };
  for (let attempt = 0; attempt < 3; attempt++) {
    if (tryCreate(file, me)) return () => release(file, me);
    const owner = readOwner(file);
    if (owner && startTime(owner.pid) === owner.started) {
      throw new EngineError(
        `the stack is locked: process ${owner.pid} runs '${owner.operation}' on it since ${owner.since}. ` +
          `Wait for it, or end it; its lock is ${file}`,
      );
    }
    rmSync(file, { force: true });
  }
  throw new EngineError(`cannot take the lock ${file}`);
}

function tryCreate(file: string, owner: Owner): boolean {
  try {
    const handle = openSync(file, "wx", 0o600);
    writeFileSync(handle, JSON.stringify(owner));
    closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Owner;
  } catch {
    // Gone in the meantime, or cut off while it was written.
    return undefined;
  }
}

function release(file: string, me: Owner): void {
  if (readOwner(file)?.pid === me.pid) rmSync(file, { force: true });
}

/** Field 22 of /proc/<pid>/stat; the command name before it may hold blanks, but ends with the last parenthesis. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
