/** A block of a page that its reader executes or writes. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks of a page in the languages `sh` and `yaml`. */
export function blocksOf(markdown: string): Block[] {
  const found = markdown.matchAll(/^( *)```(sh|yaml)\n(.*?)^ *```$/gms);
  return [...found].map(([, indent, language, text]) => ({
    language,
    text: text.replace(new RegExp(`^${indent}`, "gm"), ""),
  }));
}
