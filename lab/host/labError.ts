/** A fault that the user can act upon: printed as it is, never with a stack trace. */
export class LabError extends Error {
  override readonly name = "LabError";

  constructor(
    message: string,
    /** What to do about it. */
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
