/** A fault that the user can fix. Its message says everything, so no stack trace is shown. */
export class PluginError extends Error {
  override readonly name = "PluginError";
}

/** Failed connections to a host with several addresses have a code and no message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : String(error);
}
