import { readFileSync } from "node:fs";

/** State and start time from /proc/<pid>/stat, whose second field may itself contain blanks and brackets. */
export function parseStat(text: string): { readonly state: string; readonly startTime: string } | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return text.includes(")") && fields.length >= 20 ? { state: fields[0], startTime: fields[19] } : undefined;
}

/** A file's text; undefined when it does not exist, or no longer. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * The pid in a pid file (`<pid> <start time> <boot id>`, as written by daemon.sh), provided that the very process still runs; a zombie does
 * not. A number alone may belong to somebody else by now: only together with the time at which the process started, in that boot of the
 * machine, does it name a process.
 */
export function runningPid(pidFile: string, read: (file: string) => string | undefined = readText): number | undefined {
  const recorded = read(pidFile) ?? "";
  const pid = /^([1-9]\d*) /.exec(recorded)?.[1];
  const stat = parseStat(read(`/proc/${pid}/stat`) ?? "");
  if (stat === undefined || stat.state === "Z") {
    return undefined;
  }
  const now = `${pid} ${stat.startTime} ${read("/proc/sys/kernel/random/boot_id")?.trim()}`;
  return recorded.trim() === now ? Number(pid) : undefined;
}

/** Sends a signal to a process, which may have ended by itself in between. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
