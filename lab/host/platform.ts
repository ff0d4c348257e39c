import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** This machine's architecture by the name that Go, Kubernetes and Debian use: `amd64` or `arm64`. */
export function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

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
