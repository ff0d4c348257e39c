import { EngineError, messageOf } from "../plugins/errors";
import { readOutputs, runOperation } from "./operation";
import type { Operation, OperationOptions, OperationResult, StackRef } from "./types";

/**
 * The child process of one embedded operation: `node child.mjs <request as JSON>`. The SDK and the program's modules belong to
 * the process, so every operation has one of its own. The result goes to the parent as a message.
 */
export type Request =
  | { kind: "operate"; operation: Operation; stack: StackRef; options: OperationOptions }
  | { kind: "outputs"; stack: StackRef; showSecrets: boolean };

export type Reply = { ok: true; result: OperationResult | Record<string, unknown> } | { ok: false; message: string };

async function main(): Promise<void> {
  const request = JSON.parse(process.argv[2] ?? "{}") as Request;
  let reply: Reply;
  try {
    reply = { ok: true, result: await perform(request) };
  } catch (error) {
    reply = { ok: false, message: error instanceof EngineError ? error.message : stackOf(error) };
  }
  if (process.send) process.send(reply, () => process.exit(exitCode(reply)));
  else {
    if (!reply.ok) console.error(reply.message);
    process.exit(exitCode(reply));
  }
}

function perform(request: Request): Promise<OperationResult> | Record<string, unknown> {
  if (request.kind === "outputs") return readOutputs(request.stack, request.showSecrets);
  return runOperation(request.operation, request.stack, request.options, {
    print: (line) => void process.stdout.write(`${line}\n`),
    onCancel: cancelOnSignals,
  });
}

/** The first signal ends the operation in good order, the second at once: what has been done is in the state already. */
function cancelOnSignals(cancel: () => void): void {
  let asked = false;
  const ask = (): void => {
    if (asked) process.exit(130);
    asked = true;
    cancel();
  };
  process.on("SIGINT", ask).on("SIGTERM", ask).on("disconnect", ask);
}

function exitCode(reply: Reply): number {
  if (!reply.ok) return 1;
  return "ok" in reply.result && reply.result.ok === false ? 1 : 0;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}

void main();
