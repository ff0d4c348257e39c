/** An error that the user can fix. */
export class PluginError extends Error {
  override readonly name = "PluginError";
}
