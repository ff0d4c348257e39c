/**
 * Workers in a file of their own (`pools[].workersFile`). They are put into their pools, so that they are checked with everything
 * else. What is wrong with them is reported with the line of the file.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isMap, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from "yaml";
import type { Check } from "../components/validation/refuse";
import { isMap as isRecord } from "../components/validation/maps";

/** The pools of a stack with the workers from their files. */
export interface Inventory {
  /** As the schema of pools takes them. Only `workersFile` is checked and gone. */
  readonly pools: unknown;
  /** What is wrong with `workersFile`, and why files could not be read. */
  readonly problems: readonly Check[];
  /** Where a worker's setting is in its file, such as `workers/a.yaml:512: [170].address`; undefined for what is in no file. */
  readonly lineOf: (where: string) => string | undefined;
}

/** A pool with its workers. A problem leaves it without any, so that it is the only one. */
interface PoolRead {
  readonly pool: unknown;
  readonly problems?: readonly Check[];
  readonly file?: WorkersFile;
}

interface WorkersFile {
  readonly path: string;
  readonly list: Node;
  readonly lines: LineCounter;
}

/**
 * Reads the files that pools name.
 *
 * @param at config key of the pools, with which all places begin
 * @param pools as configured, whatever that is
 */
export function readWorkersFiles(at: string, pools: unknown): Inventory {
  if (!Array.isArray(pools)) return { pools, problems: [], lineOf: () => undefined };
  const paths = pools.map((pool: unknown) =>
    isRecord(pool) && typeof pool.workersFile === "string" ? resolve(pool.workersFile) : undefined,
  );
  const read = pools.map((pool: unknown, p): PoolRead => {
    const first = paths[p] === undefined ? p : paths.indexOf(paths[p]);
    return readPool(`${at}[${p}]`, pool, first < p ? `is already the file of pools[${first}]` : undefined);
  });
  return {
    pools: read.map(({ pool }) => pool),
    problems: read.flatMap(({ problems = [] }) => problems),
    lineOf: (where) => {
      const [, p, place] = /^\[(\d+)\]\.workers(\[.*)$/s.exec(where.startsWith(at) ? where.slice(at.length) : "") ?? [];
      const file = read[Number(p)]?.file;
      if (!file) return undefined;
      const [offset] = nodeAt(file.list, place).range!;
      return `${file.path}:${file.lines.linePos(offset).line}: ${place}`;
    },
  };
}

/** @param twice what is wrong when an earlier pool names the same file */
function readPool(at: string, pool: unknown, twice: string | undefined): PoolRead {
  if (!isRecord(pool)) return { pool };
  const { workersFile: path, ...rest } = pool;
  const refuse = (key: string, problem: string, value?: string): PoolRead => ({
    pool: { ...rest, workers: [] },
    problems: [[`${at}.${key}`, problem, value]],
  });
  if (path === undefined) return "workers" in pool ? { pool } : refuse("workers", "is required (or 'workersFile')");
  if ("workers" in pool) return refuse("workersFile", "cannot be given together with 'workers'");
  if (typeof path !== "string" || !path) return refuse("workersFile", "must be the path of a file");
  if (twice) return refuse("workersFile", twice, path);
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

/** The list in a file's text. Its elements are not checked. */
function parseWorkers(path: string, text: string): Omit<PoolRead, "pool"> & { readonly workers?: unknown[] } {
  const lines = new LineCounter();
  // As the CLI reads the stack's settings: with merge keys, and without duplicate ones.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const problem = (offset: number, words: string): Check => [`${path}:${lines.linePos(offset).line}`, words];

  const { errors, warnings } = document;
  // Behind a syntax error the rest is a guess.
  const syntax = errors.find(({ code }) => code !== "DUPLICATE_KEY");
  const invalid = syntax ? [syntax] : [...errors, ...warnings];
  if (invalid.length > 0) {
    const words = (error: YAMLError) =>
      error.code === "MULTIPLE_DOCS" ? "a second document begins here" : error.message;
    return { problems: invalid.map((error) => problem(error.pos[0], `is not valid YAML: ${words(error)}`)) };
  }
  let workers: unknown;
  try {
    // Any number of workers may share settings by an alias.
    workers = document.toJS({ maxAliasCount: -1 });
  } catch (error) {
    return { problems: [[path, `is not valid YAML: ${(error as Error).message}`]] };
  }
  if (!Array.isArray(workers))
    return { problems: [problem(document.contents?.range[0] ?? 0, "must be a list of workers")] };
  return { workers, file: { path, list: document.contents!, lines } };
}

/** The node at a place such as `[3].labels.zone`, or the nearest one around it. An alias is where it stands. */
function nodeAt(node: Node, place: string): Node {
  if (isSeq<Node>(node)) {
    const [step, index] = /^\[(\d+)\]/.exec(place) ?? ["", ""];
    return index ? nodeAt(node.items[Number(index)], place.slice(step.length)) : node;
  }
  if (!isMap<Node, Node | null>(node)) return node;
  // Keys may have dots of their own, so the longest that fits is meant.
  const [found] = node.items
    .flatMap(({ key, value }) => [`.${String(key)}`, `["${String(key)}"]`].map((step) => ({ key, value, step })))
    .filter(({ step }) => place.startsWith(step) && /^($|[.[])/.test(place.slice(step.length)))
    .sort((one, other) => other.step.length - one.step.length);
  if (!found) return node;
  const rest = place.slice(found.step.length);
  return rest && found.value ? nodeAt(found.value, rest) : found.key;
}
