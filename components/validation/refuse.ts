import * as pulumi from "@pulumi/pulumi";

/** A place (config key, argument), what is wrong with it if anything, and the value where it is no secret. */
export type Check = readonly [where: string, problem: string | undefined, value?: string];

/**
 * Stops the program with all problems in one report, before anything is declared.
 * @throws pulumi.RunError, which the CLI prints without a stack trace.
 */
export function refuse(what: string, checks: readonly Check[]): void {
  const problems = checks.filter(([, problem]) => problem !== undefined);
  if (problems.length === 0) return;
  const lines = problems.map(
    ([where, problem, value]) => `  ${where}: ${value === undefined ? "" : `'${value}' `}${problem}`,
  );
  throw new pulumi.RunError(
    [`${what}: ${problems.length === 1 ? "1 problem" : `${problems.length} problems`}`, ...lines].join("\n"),
  );
}
