/**
 * Reads workers from files (`pools[].workersFile`) and from the platform stack (`pools[].workersFrom`) into their pools, so the checks of all
 * settings see them. Their problems are reported with the line of the file, or with the place in the output.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isMap, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from "yaml";
import type { Check } from "../components/validation/refuse";
import { isMap as isRecord } from "../components/validation/maps";

/** The workers that a platform stack exports. */
export interface ExportedWorkers {
  /** Names the output in errors. */
  readonly source: string;
  /** The lists of workers by pool name. Nothing is checked yet. */
  readonly byPool: unknown;
}

/** The pools of a stack, with the workers from files and from the platform stack. */
export interface Inventory {
  /** The pools without `workersFile` and `workersFrom`. Nothing else is checked yet. */
  readonly pools: unknown;
  /** Problems of these two keys and of the files' syntax. */
  readonly problems: readonly Check[];
  /**
   * The place of a worker's setting, such as `workers/a.yaml:512: [170].address`. Undefined when the setting is in the stack file.
   */
  readonly lineOf: (where: string) => string | undefined;
}

/** A pool with its workers. After a problem it has no workers, so that no other check reports the same cause again. */
interface LoadedPool {
  readonly pool: unknown;
  readonly problems?: readonly Check[];
  /** Names a place below `workers`, such as `[3].address`, where it is written. */
  readonly nameOf?: (place: string) => string;
}

/**
 * Reads the workers files of all pools.
 *
 * @param at config key of the pools. All places begin with it.
 * @param pools as the user wrote them. A wrong shape is reported elsewhere.
 * @param exported of the platform stack. Without it, a pool with `workersFrom` has no workers.
 */
export function readWorkersFiles(at: string, pools: unknown, exported?: ExportedWorkers): Inventory {
  if (!Array.isArray(pools)) return { pools, problems: [], lineOf: () => undefined };
  const paths = pools.map((pool: unknown) =>
    isRecord(pool) && typeof pool.workersFile === "string" ? resolve(pool.workersFile) : undefined,
  );
  const read = pools.map((pool: unknown, p): LoadedPool => {
    const first = paths[p] === undefined ? p : paths.indexOf(paths[p]);
    const duplicate = first < p ? `is already the file of pools[${first}]` : undefined;
    return readPool(`${at}[${p}]`, pool, duplicate, exported);
  });
  return {
    pools: read.map(({ pool }) => pool),
    problems: read.flatMap(({ problems = [] }) => problems),
    lineOf: (where) => {
      const [, p, place] = /^\[(\d+)\]\.workers(\[.*)$/s.exec(where.startsWith(at) ? where.slice(at.length) : "") ?? [];
      return read[Number(p)]?.nameOf?.(place);
    },
  };
}

/** @param duplicate the problem when an earlier pool has the same file. */
function readPool(
  at: string,
  pool: unknown,
  duplicate: string | undefined,
  exported: ExportedWorkers | undefined,
): LoadedPool {
  if (!isRecord(pool)) return { pool };
  const { workersFile: path, workersFrom, ...rest } = pool;
  const refuse = (key: string, problem: string, value?: string): LoadedPool => ({
    pool: { ...rest, workers: [] },
    problems: [[`${at}.${key}`, problem, value]],
  });
  if (workersFrom !== undefined) {
    if ("workers" in pool || path !== undefined)
      return refuse("workersFrom", "cannot be given together with 'workers' or 'workersFile'");
    if (workersFrom !== "platform") return refuse("workersFrom", "must be 'platform'");
    if (!exported) return { pool: { ...rest, workers: [] } };
    const { source, byPool } = exported;
    const workers: unknown = isRecord(byPool) ? byPool[String(rest.name)] : undefined;
    if (!Array.isArray(workers)) return refuse("workersFrom", `${source} has no list of workers for this pool`);
    return { pool: { ...rest, workers }, nameOf: (place) => `${source}: ${String(rest.name)}${place}` };
  }
  if (path === undefined) return "workers" in pool ? { pool } : refuse("workers", "is required (or 'workersFile')");
  if ("workers" in pool) return refuse("workersFile", "cannot be given together with 'workers'");
  if (typeof path !== "string" || !path) return refuse("workersFile", "must be the path of a file");
  if (duplicate) return refuse("workersFile", duplicate, path);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const missing = "does not exist; a relative path begins at the folder of Pulumi.yaml";
    return refuse("workersFile", code === "ENOENT" ? missing : `cannot be read: ${code}`, path);
  }
  const { workers = [], ...read } = parseWorkers(path, text);
  return { pool: { ...rest, workers }, ...read };
}

/** Parses a file. The elements of its list are checked later. */
function parseWorkers(path: string, text: string): Omit<LoadedPool, "pool"> & { readonly workers?: unknown[] } {
  const lines = new LineCounter();
  // The Pulumi CLI reads stack files in the same way: merge keys are allowed, duplicate keys are not.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const problem = (offset: number, words: string): Check => [`${path}:${lines.linePos(offset).line}`, words];

  const { errors, warnings } = document;
  // Errors after a syntax error may be wrong.
  const syntax = errors.find(({ code }) => code !== "DUPLICATE_KEY");
  const invalid = syntax ? [syntax] : [...errors, ...warnings];
  if (invalid.length > 0) {
    const words = (error: YAMLError) =>
      error.code === "MULTIPLE_DOCS" ? "a second document begins here" : error.message;
    return { problems: invalid.map((error) => problem(error.pos[0], `is not valid YAML: ${words(error)}`)) };
  }
  let workers: unknown;
  try {
    // Any number of workers may share settings through an alias.
    workers = document.toJS({ maxAliasCount: -1 });
  } catch (error) {
    return { problems: [[path, `is not valid YAML: ${(error as Error).message}`]] };
  }
  if (!Array.isArray(workers))
    return { problems: [problem(document.contents?.range[0] ?? 0, "must be a list of workers")] };
  const nameOf = (place: string) => {
    const [offset] = nodeAt(document.contents!, place).range!;
    return `${path}:${lines.linePos(offset).line}: ${place}`;
  };
  return { workers, nameOf };
}

/** The YAML node at a place such as `[3].labels.zone`, or the nearest node around it. An alias is not followed. */
function nodeAt(node: Node, place: string): Node {
  if (isSeq<Node>(node)) {
    const [step, index] = /^\[(\d+)\]/.exec(place) ?? ["", ""];
    return index ? nodeAt(node.items[Number(index)], place.slice(step.length)) : node;
  }
  if (!isMap<Node, Node | null>(node)) return node;
  // A key may contain dots, so the longest key that fits is the right one.
  const [found] = node.items
    .flatMap(({ key, value }) => [`.${String(key)}`, `["${String(key)}"]`].map((step) => ({ key, value, step })))
    .filter(({ step }) => place.startsWith(step) && /^($|[.[])/.test(place.slice(step.length)))
    .sort((one, other) => other.step.length - one.step.length);
  if (!found) return node;
  const rest = place.slice(found.step.length);
  return rest && found.value ? nodeAt(found.value, rest) : found.key;
}
