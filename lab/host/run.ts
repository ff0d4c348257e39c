import type { Options } from "execa";
import { LabError } from "./labError";

export interface RunOptions extends Pick<Options, "input" | "cwd" | "env" | "timeout"> {
  /** File to which the output is appended, too. */
  readonly logFile?: string;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const lastLines = (text: string, count: number): string => text.trim().split("\n").slice(-count).join("\n");

/** Runs a command and returns its output, also when the command fails. */
export async function attempt(
  command: string,
  args: readonly string[],
  { logFile, ...options }: RunOptions = {},
): Promise<RunResult> {
  // A dynamic import, because execa is an ES module and Jest transpiles to CommonJS.
  const { execa } = await import("execa");
  const output = logFile === undefined ? "pipe" : (["pipe", { file: logFile, append: true }] as const);
  const stdin = options.input === undefined ? "ignore" : "pipe";
  const result = await execa(command, args, { ...options, reject: false, stdin, stdout: output, stderr: output });
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const failure = result.exitCode === undefined ? `\n${result.shortMessage ?? "the command did not start"}` : "";
  return { exitCode: result.exitCode ?? 127, stdout: text(result.stdout), stderr: text(result.stderr) + failure };
}

/**
 * Runs a command and returns its standard output.
 * @throws LabError with the last lines of output when the command fails
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await attempt(command, args, options);
  if (result.exitCode !== 0) {
    const output = lastLines(result.stderr.trim() === "" ? result.stdout : result.stderr, 15);
    throw new LabError(
      `"${[command, ...args].join(" ").slice(0, 300)}" failed with exit status ${result.exitCode}${output && `:\n${output}`}`,
      options.logFile && `See the whole output: less ${options.logFile}`,
    );
  }
  return result.stdout;
}

/**
 * Returns a command line whose processes and mounts end with this process, even when this process is killed. The command runs in its own
 * process namespace. The kernel kills the namespace's first process when this process ends.
 */
export function containedCommand(command: string, args: readonly string[]): [string, string[]] {
  const namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return ["setpriv", ["--pdeathsig", "KILL", "--", ...namespace, "--", command, ...args]];
}

/** Runs a command on this process's terminal and returns its exit status. */
export async function runInTerminal(
  command: string,
  args: readonly string[],
  options: Pick<Options, "cwd" | "env" | "stdio"> = {},
): Promise<number> {
  const { execa } = await import("execa");
  const child = execa(command, args, { stdio: "inherit", ...options, reject: false });
  // Ctrl-C reaches this process and the child. The child decides what to do, and this process waits for its end.
  const stay = (): void => undefined;
  const pass = (): void => void child.kill("SIGINT");
  process.on("SIGINT", stay).on("SIGTERM", pass);
  const result = await child.finally(() => process.off("SIGINT", stay).off("SIGTERM", pass));
  return result.exitCode ?? (result.isTerminated ? 130 : 127);
}
