/** An error that the user can act upon. The lab prints its message and hint, without a stack trace. */
export class LabError extends Error {
  override readonly name = "LabError";

  /** @param hint what to do about it, a command where there is one */
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** The message of anything that was thrown. Node.js gives some connection errors a code and no message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : String(error);
}
