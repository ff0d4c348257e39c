/** Headings and links of a Markdown page. */

export interface Heading {
  readonly level: number;
  /** As it is written, with backticks. */
  readonly text: string;
  /** The part of a link after `#`, as GitHub makes it. */
  readonly anchor: string;
}

/** The lines outside of fenced code. */
function proseOf(page: string): string[] {
  let fenced = false;
  return page.split("\n").filter((line) => {
    const fence = /^\s*```/.test(line);
    if (fence) fenced = !fenced;
    return !fence && !fenced;
  });
}

export function headingsOf(page: string): Heading[] {
  const seen = new Map<string, number>();
  return proseOf(page).flatMap((line): Heading[] => {
    const [, marks, text] = /^(#{1,6}) +(.*?) *$/.exec(line) ?? [];
    if (marks === undefined || text === undefined) return [];
    const slug = slugOf(text);
    const earlier = seen.get(slug) ?? 0;
    seen.set(slug, earlier + 1);
    return [{ level: marks.length, text, anchor: earlier === 0 ? slug : `${slug}-${earlier}` }];
  });
}

/** @see https://github.com/Flet/github-slugger */
const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");

/** The targets of the page's links, inline or defined below the text. */
export const linksOf = (page: string): string[] =>
  [
    ...proseOf(page)
      .join("\n")
      .replace(/`[^`\n]*`/g, "")
      .matchAll(/\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)$/gm),
  ].map(([, inline, defined]) => inline ?? defined);
