/** A property path as in `ignoreChanges`: `a.b[0]["c.d"]`, with `*` for every element. */
export type Path = (string | number)[];

export function parsePath(text: string): Path {
  const path: Path = [];
  let rest = text;
  while (rest !== "") {
    const bracket = /^\[(?:"((?:[^"\\]|\\.)*)"|(\d+)|(\*))\]/.exec(rest);
    const word = /^\.?([^.[\]"]+)/.exec(rest);
    if (bracket) {
      const [, quoted, index, star] = bracket;
      path.push(star ?? (index !== undefined ? Number(index) : (quoted ?? "").replace(/\\(.)/g, "$1")));
      rest = rest.slice(bracket[0].length);
    } else if (word) {
      path.push(word[1] ?? "");
      rest = rest.slice(word[0].length);
    } else {
      throw new Error(`invalid property path ${JSON.stringify(text)}`);
    }
  }
  return path;
}

export function formatPath(path: Path): string {
  return path
    .map((part, i) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[^.[\]"]+$/.test(part)) return `["${part.replace(/["\\]/g, "\\$&")}"]`;
      return i === 0 ? part : `.${part}`;
    })
    .join("");
}

/** Whether `pattern` names `path` itself or something that holds it. */
export function contains(pattern: Path, path: Path): boolean {
  return pattern.length <= path.length && pattern.every((part, i) => part === "*" || part === path[i]);
}
