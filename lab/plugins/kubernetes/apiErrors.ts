import { messageOf } from "../../host/labError";
import { PluginError } from "../pluginError";

/** The API server refused a request. */
export class ApiError extends Error {
  constructor(
    /** HTTP status code. */
    readonly code: number,
    /** Reason as Kubernetes names it, such as `AlreadyExists`. */
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** The API server does not know the kind of an object. */
export class NoMatchError extends Error {}

/** The API server did not answer. */
export class UnreachableError extends PluginError {}

/** Whether an error means that the object, its namespace or its kind does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof NoMatchError || (error instanceof ApiError && error.code === 404);
}

/** Whether a create that fails in the preview may succeed in the update: the object may be deleted, or its namespace made, until then. */
export function mayPassLater(error: unknown): boolean {
  if (!(error instanceof ApiError)) return error instanceof UnreachableError;
  const isMissingNamespace = error.code === 404 && /namespaces? ".*" not found/.test(error.message);
  return error.code === 403 || error.reason === "AlreadyExists" || isMissingNamespace;
}

/** The message of a failed create, with what to do when the object exists already. */
export function explainCreateError(error: unknown): string {
  if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") return messageOf(error);
  return (
    `${error.message}\n\nThe resource already exists in the cluster. Delete it, adopt it by \`pulumi import\`, ` +
    "or manage some of its fields by a Patch resource."
  );
}
