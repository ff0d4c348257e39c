import { attempt } from "./run";

/** This machine as Go, Kubernetes and Debian (amd64 and arm64 alike) name it. */
export function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

/** Where a command is, looked up as a shell does. */
export async function which(command: string): Promise<string | undefined> {
  const { exitCode, stdout } = await attempt("sh", ["-c", 'command -v "$1"', "sh", command]);
  return exitCode === 0 ? stdout : undefined;
}
