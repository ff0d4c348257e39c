import { readFileSync } from "node:fs";

/**
 * A process as a pid file records it. A number alone may belong to somebody else by now: only together with the time at
 * which the process started, in that boot of the machine, does it name a process.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since the machine booted (field 22 of /proc/<pid>/stat). */
  readonly startTime: string;
  readonly bootId: string;
}

/** `<pid> <start time> <boot id>`, as written by daemon.sh. */
export function parsePidFile(text: string): ProcessIdentity | undefined {
  const match = /^([1-9]\d*) (\d+) ([0-9a-f-]{36})\n?$/.exec(text);
  return match ? { pid: Number(match[1]), startTime: match[2], bootId: match[3] } : undefined;
}

/** State and start time from /proc/<pid>/stat, whose second field may itself contain blanks and brackets. */
export function parseStat(text: string): { readonly state: string; readonly startTime: string } | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return text.includes(")") && fields.length >= 20 ? { state: fields[0], startTime: fields[19] } : undefined;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Whether exactly this process still runs; a zombie does not. */
export function isRunning(identity: ProcessIdentity, read: (file: string) => string | undefined = readText): boolean {
  const stat = parseStat(read(`/proc/${identity.pid}/stat`) ?? "");
  return (
    stat !== undefined &&
    stat.state !== "Z" &&
    stat.startTime === identity.startTime &&
    read("/proc/sys/kernel/random/boot_id")?.trim() === identity.bootId
  );
}

/** The pid that a pid file names, provided that the very process still runs. */
export function runningPid(pidFile: string, read: (file: string) => string | undefined = readText): number | undefined {
  const identity = parsePidFile(read(pidFile) ?? "");
  return identity && isRunning(identity, read) ? identity.pid : undefined;
}
