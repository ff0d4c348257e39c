import { isObject, Secret, without, type Props, type Value } from "./values";

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

function child(value: Value | undefined, part: string | number): Value | undefined {
  const inner = value instanceof Secret ? value.value : value;
  if (Array.isArray(inner)) return typeof part === "number" ? inner[part] : undefined;
  return isObject(inner) ? inner[String(part)] : undefined;
}

export function getPath(value: Value | undefined, path: Path): Value | undefined {
  return path.reduce<Value | undefined>(child, value);
}

/**
 * Sets what `path` names in `target` back to its value in `source` (or removes it, where the source has none).
 * Returns the changed copy, or undefined where the path leads nowhere in one of the two.
 */
export function resetPath(target: Value, source: Value, path: Path): Value | undefined {
  const [part, ...rest] = path;
  if (part === undefined) return source;
  if (target instanceof Secret || source instanceof Secret) {
    const inner = resetPath(unwrap(target), unwrap(source), path);
    return inner === undefined ? undefined : target instanceof Secret ? new Secret(inner) : inner;
  }
  if (Array.isArray(target) && Array.isArray(source)) return resetElements(target, source, part, rest);
  if (isObject(target) && isObject(source)) {
    if (part !== "*") return resetKey(target, source, String(part), rest);
    return [...new Set([...Object.keys(target), ...Object.keys(source)])].reduce<Props | undefined>(
      (result, key) => result && resetKey(result, source, key, rest),
      target,
    );
  }
  return undefined;
}

function unwrap(value: Value): Value {
  return value instanceof Secret ? value.value : value;
}

function resetKey(target: Props, source: Props, key: string, rest: Path): Props | undefined {
  const before = source[key];
  if (rest.length === 0) {
    if (before !== undefined) return { ...target, [key]: before };
    return without(target, key);
  }
  const now = target[key];
  if (now === undefined && before === undefined) return target;
  if (now === undefined || before === undefined) return undefined;
  const value = resetPath(now, before, rest);
  return value === undefined ? undefined : { ...target, [key]: value };
}

function resetElements(target: Value[], source: Value[], part: string | number, rest: Path): Value[] | undefined {
  const indexes = part === "*" ? target.map((_, i) => i) : [Number(part)];
  if (part === "*" && target.length !== source.length) return rest.length === 0 ? source : undefined;
  const result = [...target];
  for (const i of indexes) {
    const now = target[i];
    const before = source[i];
    if (now === undefined || before === undefined) return undefined;
    const value = resetPath(now, before, rest);
    if (value === undefined) return undefined;
    result[i] = value;
  }
  return result;
}
