/** A fault that is the user's to mend: its message says it all, so it is shown without a stack trace. */
export class EngineError extends Error {
  override readonly name = "EngineError";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
