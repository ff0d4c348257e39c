/** What a platform stack exports, and its checks. The table in examples/platform-outputs/README.md describes the same outputs. */
import { z } from "zod";
import { apiServerVersionSetting, clientCaSetting } from "../components/spec/bootstrapSchema";
import { certificateAuthority } from "../components/spec/servingSchema";
import { problemsOf } from "../components/validation/problems";
import { refuse } from "../components/validation/refuse";
import * as rules from "../components/validation/rules";
import { hiddenString, ruledString } from "../components/validation/ruledString";
import { kubeconfigRule } from "./settingsSchema";

/** The format of the outputs that this module reads. A platform stack that exports no `formatVersion` has this one. */
const FORMAT_VERSION = 1;

/** The outputs by name. A description says what to export where a required output is missing. */
const outputsSchema = z.object({
  formatVersion: z.literal(FORMAT_VERSION).optional(),
  server: ruledString(rules.apiServer).describe("the URL of the API server, such as https://api.example.com:6443"),
  ca: hiddenString(rules.caCertificates).describe("the PEM certificate of the CA that signed the API server's"),
  kubeconfig: hiddenString(kubeconfigRule).describe("the kubeconfig of an administrator, as a secret"),
  kubernetesVersion: apiServerVersionSetting.optional(),
  kubeletClientCa: clientCaSetting.optional(),
  kubeletServingCa: certificateAuthority.optional(),
});

export type PlatformOutputs = z.output<typeof outputsSchema>;

export const OUTPUT_NAMES = Object.keys(outputsSchema.shape) as (keyof PlatformOutputs)[];

/**
 * Checks what a platform stack exports.
 * @param outputs values by name. One that the stack does not export is undefined.
 * @throws pulumi.RunError with the problems of all outputs, or with the format alone when this module does not know it.
 */
export function checkPlatformOutputs(stack: string, outputs: Readonly<Record<string, unknown>>): PlatformOutputs {
  const what = `Platform stack '${stack}' does not export what this module reads (examples/platform-outputs/README.md)`;
  refuse(what, [["output formatVersion", formatProblem(outputs.formatVersion)]]);
  const { data, error } = outputsSchema.safeParse(outputs, { error: missing });
  refuse(what, error ? problemsOf(error, "output").map(([where, problem]) => [where.replace(".", " "), problem]) : []);
  return data!;
}

/** Outputs of another format may have other names and shapes, so the format is judged before them. */
function formatProblem(version: unknown): string | undefined {
  if (version === undefined || version === FORMAT_VERSION) return undefined;
  if (typeof version !== "number" || !Number.isInteger(version) || version < FORMAT_VERSION)
    return `must be the number ${FORMAT_VERSION}`;
  return `is ${version}; this module reads format ${FORMAT_VERSION}: upgrade tls-bootstrap, or export format ${FORMAT_VERSION}`;
}

/** Says what to export in place of an output that is missing. All other messages stay zod's own. */
function missing({ input, path }: { readonly input?: unknown; readonly path?: PropertyKey[] }): string | undefined {
  if (input !== undefined) return undefined;
  const { description } = outputsSchema.shape[path?.[0] as keyof PlatformOutputs];
  return path?.length === 1 ? `is missing: export ${description}` : "is required";
}
