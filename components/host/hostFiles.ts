/** Files for a worker, as text that its scripts read. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { gzipSync } from "fflate";

/** A file on a worker. */
export interface HostFile {
  readonly path: string;
  /** Octal permissions, four digits. */
  readonly mode: string;
  /** Ends with a newline. */
  readonly text: string;
  /** The systemd unit to restart when the file changes. */
  readonly restarts?: string;
}

const END = "END-OF-FILE";

/**
 * Renders a call of the shell function `file`, with the file's text in a here-document. So a preview shows the lines that change.
 * @throws Error when the text does not end with a newline, or has a line that would end the here-document.
 */
export function renderFile({ path, mode, text, restarts }: HostFile): string {
  if (!text.endsWith("\n")) throw new Error(`${path}: the file's text must end with a newline`);
  if (text.split("\n").includes(END))
    throw new Error(`${path}: the file's text has a line '${END}', which would end the file there`);
  return [`file ${mode} ${path}${restarts ? ` ${restarts}` : ""} <<'${END}'`, `${text}${END}`].join("\n");
}

/** Compresses text with gzip. The same bytes for the same text on every computer, which Node's own zlib does not promise. */
export const compressed = (text: string): Buffer => Buffer.from(gzipSync(Buffer.from(text), { level: 9, mtime: 0 }));

/**
 * Renders a call of the shell function `packed`: scripts, compressed to less than half. No setting changes them, so a preview need not show
 * their lines.
 * @throws Error when a script has a line that begins as the line before each script does.
 */
export function renderPacked(scripts: readonly HostFile[]): string {
  const texts = scripts.map(({ path, mode, text }) => {
    if (/^==> /m.test(text)) throw new Error(`${path}: the script has a line that begins with '==> '`);
    return `==> ${mode} ${basename(path)}\n${text}`;
  });
  return [`packed <<'${END}'`, compressed(texts.join("")).toString("base64"), END].join("\n");
}

/** Renders the input of `kubelet.sh apply`: the files, and a last line that proves that the whole input arrived. */
export function renderBundle(files: readonly HostFile[]): string {
  return [...files.map(renderFile), "# end of bundle", ""].join("\n");
}

/** Hash of files and their permissions, `sha256:<hex>`. */
export const hashOf = (files: readonly HostFile[]): string =>
  `sha256:${createHash("sha256").update(renderBundle(files)).digest("hex")}`;
