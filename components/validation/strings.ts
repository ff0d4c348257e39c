/** Strings in settings and arguments that keep to a rule. */
import { z } from "zod";
import type { Rule } from "./rules";

/** A string that keeps to a rule; the message shows the value. */
export const by = (rule: Rule) =>
  z.string().superRefine((value, context) => report(context, rule(value), `'${shorten(value)}' `));

/** Like {@link by}, for values that are secret or long: the message does not show them. */
export const byUnseen = (rule: Rule) => z.string().superRefine((value, context) => report(context, rule(value), ""));

const shorten = (value: string) => (value.length > 60 ? `${value.slice(0, 57)}…` : value);

function report(context: z.RefinementCtx<string>, problem: string | undefined, prefix: string) {
  if (problem) context.addIssue({ code: "custom", message: `${prefix}${problem}` });
}
