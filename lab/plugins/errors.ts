/** A fault that the user can fix. Its message says everything, so no stack trace is shown. */
export class PluginError extends Error {
  override readonly name = "PluginError";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
