/** The files in the input of a step, and the lines of them that change. */
import { X509Certificate } from "node:crypto";
import { posix } from "node:path";
import { gunzipSync } from "node:zlib";
import { structuredPatch } from "diff";
import { PATHS } from "../../components/cluster/names";
import { groupBy } from "./lists";

export interface StepFile {
  readonly text: string;
  /** The systemd unit that restarts when the file changes. */
  readonly unit?: string;
}

/** A file of a worker that changes. */
export interface FileChange {
  readonly path: string;
  readonly unit?: string;
  /** Lines that begin with ` `, `-` or `+`, as in a diff. */
  readonly lines: readonly string[];
}

/** Name for the text of a step's input that belongs to no file. */
const FRAME = `${PATHS.scripts}/install.sh`;

/** The files of a step's input, by path. See components/host/hostFiles.ts. */
export function filesIn(stdin: string): Map<string, StepFile> {
  const files = new Map<string, StepFile>();
  const unpacked = stdin.replace(/^packed <<'END-OF-FILE'\n(.*)\nEND-OF-FILE$/gm, (_, packed: string) => {
    const scripts = gunzipSync(Buffer.from(packed, "base64")).toString();
    for (const [, name, text] of scripts.matchAll(/^==> \d{4} (\S+)\n((?:(?!==> ).*\n)*)/gm))
      files.set(`${PATHS.scripts}/${name}`, { text });
    return "";
  });
  const frame = unpacked.replace(
    /^file \d{4} (\S+)(?: (\S+))? <<'END-OF-FILE'\n([\s\S]*?)^END-OF-FILE$/gm,
    (_, path: string, unit: string | undefined, text: string) => {
      files.set(path, { text, unit });
      return "";
    },
  );
  if (frame.includes("main()")) files.set(FRAME, { text: frame.replace(/\n+/g, "\n") });
  return files;
}

/** The files that differ between two inputs of a step. */
export function fileChanges(before: string, after: string): FileChange[] {
  const [old, now] = [filesIn(before), filesIn(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((path): FileChange[] => {
    const [was, is] = [old.get(path), now.get(path)];
    if (was?.text === is?.text) return [];
    const lines = was && is ? changedLines(was.text, is.text) : wholeFile(was ? "-" : "+", (was ?? is)!.text);
    return [{ path, unit: (is ?? was)?.unit, lines }];
  });
}

/** How many lines of a file that comes or goes are shown. A longer file is one that this module renders from few settings. */
const SHORT_FILE = 4;

function wholeFile(sign: "-" | "+", text: string): string[] {
  const lines = readable(text).trimEnd().split("\n");
  if (lines.length > SHORT_FILE)
    return [`${sign} ${sign === "+" ? "a new file" : "the file"} of ${lines.length} lines`];
  return lines.map((line) => `${sign}${line}`);
}

/** The lines that differ. Above an indented line are the lines that it belongs to, as in YAML. */
export function changedLines(before: string, after: string): string[] {
  const [was, is] = [readable(before), readable(after)];
  const lines = was.split("\n");
  const { hunks } = structuredPatch("", "", was, is, "", "", { context: 0 });
  let shownTo = 0;
  return hunks.flatMap((hunk) => {
    const changed = hunk.lines.filter((line) => !line.startsWith("\\"));
    // A hunk without old lines is below the line `oldStart`, others begin there.
    const begin = hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1;
    const outer = outerLines(lines, begin, indentOf(changed[0].slice(1))).filter((i) => i >= shownTo);
    shownTo = begin + hunk.oldLines;
    return [...outer.map((i) => ` ${lines[i]}`), ...changed];
  });
}

const indentOf = (line: string): number => /^[ ]*(?:- )?/.exec(line)![0].length;

/** Numbers of the lines above `begin` that an indented line belongs to. */
function outerLines(lines: readonly string[], begin: number, indent: number): number[] {
  const outer: number[] = [];
  for (let i = begin - 1, left = indent; i >= 0 && left > 0; i--) {
    if (lines[i].trim() !== "" && indentOf(lines[i]) < left) {
      outer.unshift(i);
      left = indentOf(lines[i]);
    }
  }
  return outer;
}

/** Each certificate as one line. Nobody reviews base64. */
const readable = (text: string): string =>
  text.replace(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g, (pem) => {
    try {
      const { subject, validTo, fingerprint256 } = new X509Certificate(pem);
      return `certificate ${subject.replaceAll("\n", ", ")}, until ${validTo}, SHA-256 ${fingerprint256}`;
    } catch {
      return pem;
    }
  });

/** Whether a file is one of this module's scripts. They change with a release of the module, never by a setting. */
export const isScript = (path: string): boolean => path.startsWith(`${PATHS.scripts}/`);

/** Whether a file has variables for the scripts. */
export const isConf = (path: string): boolean => path === PATHS.hostConf || path === PATHS.nodeConf;

/** The values of variables in a file of variables. */
export const variablesIn = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));

/** Folders and names of files: `/etc/a/x, y` for two files of one folder. */
export const pathsText = (paths: readonly string[]): string =>
  [...groupBy(paths, (path) => posix.dirname(path))]
    .map(([folder, inside]) => `${folder}/${inside.map((path) => posix.basename(path)).join(", ")}`)
    .join(", ");
