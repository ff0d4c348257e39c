/** Zod schemas of strings that keep a rule. */
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { Rule } from "./rules";

/** What an editor can check without the rule itself. */
interface Hints {
  readonly pattern?: string;
  /** The stack file may hold the value encrypted. */
  readonly secret?: true;
}

/** A string that keeps a rule. The message shows the value, without credentials in a URL. */
export const ruledString = (rule: Rule, hints: Hints = {}) =>
  z
    .string()
    .superRefine((value, context) => report(context, rule(value), `'${shorten(redacted(value))}' `))
    .meta({ ...hints });

/** Like {@link ruledString}, for values that are secret or long: the message does not show them. */
export const hiddenString = (rule: Rule, hints: Hints = {}) =>
  z
    .string()
    .superRefine((value, context) => report(context, rule(value), ""))
    .meta({ ...hints });

/**
 * A string, or a string that a program knows later. The schema checks what is known now; whoever resolves the value checks the rest, see
 * `checkedLater` in spec/resolve.ts.
 */
export const stringInput = (schema: z.ZodType<string, string>) =>
  z
    .custom<pulumi.Input<string>>((value) => isLater(value) || typeof value === "string", {
      error: ({ input }) => (input === undefined ? undefined : "must be text"),
    })
    .superRefine((value, context) => {
      if (typeof value !== "string") return;
      for (const { message } of schema.safeParse(value).error?.issues ?? [])
        context.addIssue({ code: "custom", message });
    })
    .meta({ ...schema.meta(), type: "string", input: true });

/** Whether a value is an output or promise. */
const isLater = (value: unknown): boolean => pulumi.Output.isInstance(value) || value instanceof Promise;

const redacted = (value: string) => value.replace(/\/\/[^/]*@/g, "//…@");

/** A value as an error shows it. */
export const shorten = (value: string): string => (value.length > 60 ? `${value.slice(0, 57)}…` : value);

function report(context: z.RefinementCtx, problem: string | undefined, prefix: string) {
  if (problem) context.addIssue({ code: "custom", message: `${prefix}${problem}` });
}
