/** Error messages in shell scripts and TypeScript sources, with `…` for what differs from case to case. */

const HOLE = "…";

/** The errors of a script: first arguments of `fail` and `problem`, errors that `say` prints, and what `request_state` adds to one. */
export function messagesOfScript(script: string): string[] {
  const code = script
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n");
  const [requestState = ""] = /^request_state\(\) \{[\s\S]*?^\}$/m.exec(code) ?? [];
  return [
    ...quotedAfter(code, /(?<![\w.])(?:fail|problem) (?=")/g),
    ...quotedAfter(code, /say (?="tls-bootstrap: )/g).map((message) => message.replace("tls-bootstrap: ", "")),
    ...quotedAfter(requestState, /echo (?=")/g),
  ].filter((message) => /\p{L}{3}/u.test(message));
}

const quotedAfter = (code: string, before: RegExp): string[] =>
  [...code.matchAll(before)].map(({ index, 0: word }) => quotedAt(code, index + word.length).text.split("\n")[0]);

/** The double-quoted text at `start`, with holes for the expansions in it, and where it ends. */
function quotedAt(code: string, start: number): { text: string; end: number } {
  let text = "";
  let at = start + 1;
  while (code[at] !== '"') {
    if (code[at] === "\\") {
      text += code[at + 1];
      at += 2;
    } else if (code[at] === "$") {
      text += HOLE;
      at = expansionEnd(code, at);
    } else {
      text += code[at];
      at += 1;
    }
  }
  return { text, end: at };
}

/** Where the expansion `$name`, `${…}` or `$(…)` at `start` ends. */
function expansionEnd(code: string, start: number): number {
  const name = /^\$(\w+|[#@*?])/.exec(code.slice(start, start + 80));
  if (name) return start + name[0].length;
  const [open, close] = code[start + 1] === "{" ? ["{", "}"] : ["(", ")"];
  let depth = 0;
  for (let at = start + 1; at < code.length; at++) {
    if (code[at] === "'") at = code.indexOf("'", at + 1);
    else if (code[at] === '"') at = quotedAt(code, at).end;
    else if (code[at] === open) depth++;
    else if (code[at] === close && --depth === 0) return at + 1;
  }
  throw new Error(`an expansion does not end: ${code.slice(start, start + 40)}`);
}

/** TypeScript with holes where its templates have expressions. */
export const withHoles = (source: string): string => source.replace(/\$\{[^{}]*\}/g, HOLE);
