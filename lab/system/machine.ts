import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** This machine as Go, Kubernetes and Debian (amd64 and arm64 alike) name it. */
export function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

/** Where a command is, looked up as a shell does. */
export async function which(command: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter).filter((entry) => entry.startsWith("/"))) {
    const file = join(folder, command);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

const CAP_SYS_RESOURCE = 24n;

/** Whether a process may lower a process's OOM score: some sandboxes and cloud machines do not let even root do it. */
export function hasSysResource(processStatus: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(processStatus)?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

export const mayLowerOomScore = async (): Promise<boolean> =>
  hasSysResource(await readFile("/proc/self/status", "utf8"));
