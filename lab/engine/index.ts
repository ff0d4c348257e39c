import { spawn } from "node:child_process";
import { join } from "node:path";
import { EngineError } from "../plugins/errors";
import type { Reply, Request } from "./main";
import { findPulumi, operateWithPulumi, outputsWithPulumi } from "./pulumi";
import type { EngineName, Operation, OperationOptions, OperationResult, StackRef } from "./types";

export { EngineError } from "../plugins/errors";
export { secret, SecretMarker, writeStackConfig } from "./stackConfig";
export type * from "./types";

/** The engine that was asked for, else the real CLI when it is there with its plugins, else the embedded one. */
export async function availableEngine(asked?: EngineName): Promise<EngineName> {
  if (asked === "embedded") return asked;
  const found = await findPulumi();
  if (found.usable) return "pulumi";
  if (asked === "pulumi") throw new EngineError(found.reason);
  return "embedded";
}

/** Runs one operation, printing its progress unless `json`. Failed operations give a result with `ok: false`. */
export async function operate(
  engine: EngineName,
  operation: Operation,
  stack: StackRef,
  options: OperationOptions = {},
): Promise<OperationResult> {
  const color = options.color ?? (process.stdout.isTTY && !process.env.NO_COLOR);
  const complete = { ...options, color };
  if (engine === "pulumi") return operateWithPulumi(operation, stack, complete);
  return (await embedded({ kind: "operate", operation, stack, options: complete })) as OperationResult;
}

/** The outputs of the stack's last operation; secrets read `[secret]` unless asked for. */
export async function stackOutputs(
  engine: EngineName,
  stack: StackRef,
  options: { showSecrets?: boolean } = {},
): Promise<Record<string, unknown>> {
  const showSecrets = options.showSecrets ?? false;
  if (engine === "pulumi") return outputsWithPulumi(stack, showSecrets);
  return (await embedded({ kind: "outputs", stack, showSecrets })) as Record<string, unknown>;
}

type Result = Extract<Reply, { ok: true }>["result"];

function embedded(request: Request): Promise<Result> {
  // With `json`, standard output is the caller's; what the program itself prints goes to standard error.
  const quiet = request.kind === "outputs" || request.options.json;
  const child = spawn(process.execPath, [join(__dirname, "child.mjs"), JSON.stringify(request)], {
    stdio: ["ignore", quiet ? process.stderr : "inherit", "inherit", "ipc"],
  });
  // Ctrl-C reaches the child as well, which ends in good order; until then this process stays.
  const wait = (): void => {};
  const pass = (): void => void child.kill("SIGTERM");
  process.on("SIGINT", wait).on("SIGTERM", pass);
  return new Promise<Reply>((resolve, reject) => {
    let reply: Reply | undefined;
    child.on("message", (message) => (reply = message as Reply));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (reply) resolve(reply);
      else reject(new EngineError(`the operation ended without a result (${signal ?? `exit code ${code}`})`));
    });
  })
    .finally(() => process.off("SIGINT", wait).off("SIGTERM", pass))
    .then((reply) => {
      if (!reply.ok) throw new EngineError(reply.message);
      return reply.result;
    });
}
