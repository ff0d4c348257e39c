/** A block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks of a page in some languages. By default those that its reader executes or writes. */
export function blocksOf(markdown: string, languages: readonly string[] = ["sh", "yaml"]): Block[] {
  const found = markdown.matchAll(/^( *)```(\w+)\n(.*?)^ *```$/gms);
  return [...found].flatMap(([, indent, language, text]) =>
    languages.includes(language) ? [{ language, text: text.replace(new RegExp(`^${indent}`, "gm"), "") }] : [],
  );
}

/** The lines of an output, without what differs from run to run: times, addresses, and the random parts of names and ids. */
const linesOf = (output: string): string[] =>
  output.split("\n").map((line) =>
    line
      .trim()
      .replace(/\(\d[\d.hms]*s\)/g, "(time)")
      .replace(/\b(\d+[dhms])+ {2,}v/g, "age v")
      .replace(/\b10\.\d+\.\d+\.\d+\b/g, "address")
      .replace(/-(kubelet|join|manager)[0-9a-f]{8}\b/g, "-$1-id")
      .replace(/\b(web|cache)-[0-9a-z]+-[0-9a-z]{5}\b/g, "$1-pod")
      .replace(/\d{4}-\d\d-\d\dT[\d:]+Z/g, "date")
      .replace(/ +/g, " "),
  );

/** The lines of a page's block that an output lacks. A page leaves lines out, and shows the reader's commands. */
export function missingFrom(output: string, block: string): string[] {
  const lines = new Set(linesOf(output));
  return linesOf(block).filter((line) => !/^(…|\.\.\.|\$ .*|)$/.test(line) && !lines.has(line));
}
