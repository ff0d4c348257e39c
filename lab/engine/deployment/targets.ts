/** Whether one of the patterns stands for the URN, as with the CLI's `--target` and `--replace`: `*` is any text without a colon, `**` any text. */
export function matches(patterns: readonly string[] | undefined, urn: string): boolean {
  return (patterns ?? []).some((pattern) => expression(pattern).test(urn));
}

function expression(pattern: string): RegExp {
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const within = (text: string): string => text.split("*").map(literal).join("[^:]*");
  return new RegExp(`^${pattern.split("**").map(within).join(".*")}$`);
}
