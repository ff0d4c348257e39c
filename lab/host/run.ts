import type { Options } from "execa";
import { LabError } from "./labError";

export interface RunOptions extends Pick<Options, "input" | "cwd" | "env" | "timeout"> {
  /** File that receives the output as well. */
  readonly logFile?: string;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const lastLines = (text: string, count: number): string => text.trim().split("\n").slice(-count).join("\n");

/** Runs a command and returns what it printed, whatever its exit status. */
export async function attempt(
  command: string,
  args: readonly string[],
  { logFile, ...options }: RunOptions = {},
): Promise<RunResult> {
  // execa is an ES module that a CommonJS transpiler can load only this way.
  const { execa } = await import("execa");
  const output = logFile === undefined ? "pipe" : (["pipe", { file: logFile, append: true }] as const);
  const stdin = options.input === undefined ? "ignore" : "pipe";
  const result = await execa(command, args, { ...options, reject: false, stdin, stdout: output, stderr: output });
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const failure = result.exitCode === undefined ? `\n${result.shortMessage ?? "it could not be run"}` : "";
  return { exitCode: result.exitCode ?? 127, stdout: text(result.stdout), stderr: text(result.stderr) + failure };
}

/** Runs a command that must succeed and returns its standard output. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await attempt(command, args, options);
  if (result.exitCode !== 0) {
    const said = lastLines(result.stderr.trim() === "" ? result.stdout : result.stderr, 15);
    throw new LabError(
      `"${[command, ...args].join(" ").slice(0, 300)}" failed with exit status ${result.exitCode}${said && `:\n${said}`}`,
      options.logFile && `The whole output is in ${options.logFile}.`,
    );
  }
  return result.stdout;
}

/**
 * The command line that makes a command and all that it starts die with this process, even when this process is killed:
 * a process namespace whose first process gets a signal when its parent goes. Its mounts vanish with it too.
 */
export function containedCommand(command: string, args: readonly string[]): [string, string[]] {
  const namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return ["setpriv", ["--pdeathsig", "KILL", "--", ...namespace, "--", command, ...args]];
}

/** Runs a command with the terminal handed over to it, and returns its exit status. */
export async function runInTerminal(
  command: string,
  args: readonly string[],
  options: Pick<Options, "cwd" | "env" | "stdio"> = {},
): Promise<number> {
  const { execa } = await import("execa");
  const child = execa(command, args, { stdio: "inherit", ...options, reject: false });
  // The terminal's Ctrl-C reaches the child too, which decides what it means. Until it has ended, this process stays.
  const stay = (): void => undefined;
  const pass = (): void => void child.kill("SIGINT");
  process.on("SIGINT", stay).on("SIGTERM", pass);
  const result = await child.finally(() => process.off("SIGINT", stay).off("SIGTERM", pass));
  return result.exitCode ?? (result.isTerminated ? 130 : 127);
}
