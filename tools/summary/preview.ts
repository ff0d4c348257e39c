/**
 * Reads what `pulumi preview --json` prints. It is the one output of a preview that has the old and the new inputs of each resource and no
 * secret: a plan (`--save-plan`) has no old inputs, and the event log has secrets in plain text.
 *
 * @see https://github.com/pulumi/pulumi/blob/v3.248.0/pkg/display/json.go PreviewDigest
 */
import { z } from "zod";
import { nameOfUrn, typeOfUrn } from "../../lab/plugins/urn";
import { groupBy } from "./lists";

/** Inputs of a resource. A secret is the text `[secret]`. */
export type Inputs = Readonly<Record<string, unknown>>;

/** A resource that the update would change. */
export interface Change {
  readonly urn: string;
  readonly op: "create" | "update" | "replace" | "delete";
  readonly type: string;
  readonly name: string;
  readonly parent: string;
  /** Types of the components around the resource, the outermost first. */
  readonly within: readonly string[];
  readonly old?: Inputs;
  readonly new?: Inputs;
  /** URNs of the resources that the resource waits for. */
  readonly dependencies: readonly string[];
  /** Inputs that differ. */
  readonly differs: readonly string[];
}

export interface Preview {
  readonly stack: string;
  readonly changes: readonly Change[];
  readonly unchanged: number;
  /** Messages of a preview that failed. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** A value that exists only after the update has begun. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** What the CLI prints instead of a secret. */
export const SECRET = "[secret]";

const inputs = z.record(z.string(), z.unknown());
const state = z.object({
  parent: z.string().optional(),
  inputs: inputs.optional(),
  dependencies: z.array(z.string()).nullish(),
});
const step = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: state.optional(),
  newState: state.optional(),
  diffReasons: z.array(z.string()).nullish(),
  replaceReasons: z.array(z.string()).nullish(),
});
type Step = z.output<typeof step>;

/** The parts of the digest that the summary reads. */
export const digestSchema = z.object({
  steps: z.array(step).nullish(),
  diagnostics: z.array(z.object({ message: z.string().default(""), severity: z.string().optional() })).nullish(),
  changeSummary: z.record(z.string(), z.number()).nullish(),
});

/** What is said of an operation of several steps: the first of these that is among them. */
const OPS = ["replace", "create-replacement", "delete-replaced", "create", "update", "delete"] as const;

/**
 * @param source for errors: the name of the file.
 * @throws Error when the text is not what `pulumi preview --json` prints.
 */
export function parsePreview(text: string, source: string): Preview {
  const digest = readDigest(text, source);
  const byUrn = groupBy(digest.steps ?? [], ({ urn }) => urn);
  const changes = [...byUrn].flatMap(([urn, steps]) => changeOf(urn, steps));
  const messages = (severity: string) =>
    (digest.diagnostics ?? []).flatMap((it) => (it.severity === severity ? [it.message.trim()] : []));
  const errors = messages("error");
  const [stack] = [...byUrn.keys()].map((urn) => /^urn:pulumi:(.+?)::/.exec(urn)?.[1]);
  if (!digest.changeSummary && errors.length === 0)
    errors.push("The preview ended before it was complete. Its log says why.");
  return {
    stack: stack ?? source,
    changes,
    unchanged: digest.changeSummary?.same ?? 0,
    errors,
    warnings: messages("warning"),
  };
}

function readDigest(text: string, source: string): z.output<typeof digestSchema> {
  const how = "make it with: pulumi preview --json";
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Error(`${source}: is ${text.trim() === "" ? "empty" : "not JSON"}; ${how}`);
  }
  const { data } = digestSchema.safeParse(given);
  if (!data || !(data.steps ?? data.diagnostics ?? data.changeSummary))
    throw new Error(`${source}: is JSON, but no preview; ${how}`);
  return data;
}

function changeOf(urn: string, steps: readonly Step[]): Change[] {
  const first = OPS.find((name) => steps.some(({ op }) => op === name));
  if (first === undefined) return []; // same, read, refresh
  const op = first === "create-replacement" || first === "delete-replaced" ? "replace" : first;
  const before = steps.find(({ oldState }) => oldState)?.oldState;
  const after = steps.find(({ newState }) => newState)?.newState;
  return [
    {
      urn,
      op,
      type: typeOfUrn(urn),
      name: nameOfUrn(urn),
      parent: (after ?? before)?.parent ?? "",
      within: urn.split("::")[2]?.split("$").slice(0, -1) ?? [],
      old: before && (before.inputs ?? {}),
      new: after && (after.inputs ?? {}),
      dependencies: (after ?? before)?.dependencies ?? [],
      differs: [...new Set(steps.flatMap((it) => [...(it.diffReasons ?? []), ...(it.replaceReasons ?? [])]))],
    },
  ];
}
