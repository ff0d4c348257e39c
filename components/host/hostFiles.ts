/** Files on a worker, in the form that its scripts read. */
import { createHash } from "node:crypto";

/** A file on a worker. */
export interface HostFile {
  readonly path: string;
  /** Octal permissions, four digits. */
  readonly mode: string;
  /** Ends with a newline. */
  readonly text: string;
  /** systemd unit that restarts when the file changes. */
  readonly restarts?: string;
}

const END = "END-OF-FILE";

/** One file as a call of the shell function `file`. The text is readable, as it will be on the worker. */
export function renderFile({ path, mode, text, restarts }: HostFile): string {
  if (!text.endsWith("\n")) throw new Error(`${path}: the text must end with a newline`);
  if (text.split("\n").includes(END)) throw new Error(`${path}: a line '${END}' would cut the file short`);
  return [`file ${mode} ${path}${restarts ? ` ${restarts}` : ""} <<'${END}'`, `${text}${END}`].join("\n");
}

/** What `kubelet.sh apply` reads: the files, and a last line that shows that all of them arrived. */
export function renderBundle(files: readonly HostFile[]): string {
  return [...files.map(renderFile), "# end of bundle", ""].join("\n");
}

/** Hash of files, `sha256:…`. Equal hashes mean equal files. */
export const hashOf = (files: readonly HostFile[]): string =>
  `sha256:${createHash("sha256").update(renderBundle(files)).digest("hex")}`;
