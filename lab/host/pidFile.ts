import { readFileSync } from "node:fs";

interface Stat {
  readonly state: string;
  readonly threads: number;
  readonly startTime: string;
}

/** Parses /proc/<pid>/stat. The second field, the name, may contain spaces and brackets. */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (!text.includes(")") || fields.length < 20) return undefined;
  return { state: fields[0], threads: Number(fields[17]), startTime: fields[19] };
}

/** A file's text. Undefined when the file does not exist. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * The pid in a pid file, when that process still runs. A zombie does not, unless it has other threads: they hold its ports. daemon.sh
 * writes `<pid> <start time> <boot id>`, because the kernel reuses pids: pid, start time and boot together identify a process.
 */
export function runningPid(pidFile: string, read: (file: string) => string | undefined = readText): number | undefined {
  const recorded = read(pidFile) ?? "";
  const pid = /^([1-9]\d*) /.exec(recorded)?.[1];
  const stat = parseStat(read(`/proc/${pid}/stat`) ?? "");
  if (stat === undefined || (stat.state === "Z" && stat.threads <= 1)) {
    return undefined;
  }
  const now = `${pid} ${stat.startTime} ${read("/proc/sys/kernel/random/boot_id")?.trim()}`;
  return recorded.trim() === now ? Number(pid) : undefined;
}

/** Sends a signal to a process, unless the process has ended. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended.
  }
}
