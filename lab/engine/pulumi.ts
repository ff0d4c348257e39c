import { EngineError } from "./errors";
import type { Operation, OperationOptions, OperationResult, StackRef } from "./types";

export function findPulumi(): Promise<{ usable: true } | { usable: false; reason: string }> {
  return Promise.resolve({ usable: false, reason: "the real pulumi CLI is not supported yet" });
}

export function operateWithPulumi(
  _operation: Operation,
  _stack: StackRef,
  _options: OperationOptions,
): Promise<OperationResult> {
  return Promise.reject(new EngineError("the real pulumi CLI is not supported yet"));
}

export function outputsWithPulumi(_stack: StackRef, _showSecrets: boolean): Promise<Record<string, unknown>> {
  return Promise.reject(new EngineError("the real pulumi CLI is not supported yet"));
}
