import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PATHS } from "../cluster/names";
import { type HostConf, renderConf } from "./hostConf";

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

/** One file as a call of the shell function `file`, its text readable as it will stand on the worker. */
function renderFile({ path, mode, text, restarts }: HostFile): string {
  if (!text.endsWith("\n")) throw new Error(`${path}: the text must end with a newline`);
  if (text.split("\n").includes(END)) throw new Error(`${path}: a line '${END}' would cut the file short`);
  return [`file ${mode} ${path}${restarts ? ` ${restarts}` : ""} <<'${END}'`, `${text}${END}`].join("\n");
}

/** What `kubelet.sh apply` reads: the files, then a last line by which it knows that all of them arrived. */
export function renderBundle(files: readonly HostFile[]): string {
  return [...files.map(renderFile), "# end of bundle", ""].join("\n");
}

/** By which equal files are known: `sha256:…`. */
export const hashOf = (files: readonly HostFile[]): string =>
  `sha256:${createHash("sha256").update(renderBundle(files)).digest("hex")}`;

const SCRIPTS = [
  "common.sh",
  "download.sh",
  "run.sh",
  "preflight.sh",
  "host.sh",
  "runtime.sh",
  "runtime-packages.sh",
  "runtime-tarball.sh",
  "serving.sh",
  "kubelet.sh",
  "kube-proxy.sh",
  "join.sh",
  "leave.sh",
];

const scriptTexts = new Map<string, string>();

/** The text of a script, read once however many workers there are. */
function scriptText(name: string): string {
  const text = scriptTexts.get(name) ?? readFileSync(join(__dirname, "scripts", name), "utf8");
  scriptTexts.set(name, text);
  return text;
}

/**
 * A shell script for machines that get no CA over SSH nor in their user data: `sh discover.sh <server> <pin>…` prints the CA certificates that have
 * the given pins (see {@link caPins}), from cluster-info, after the server has proved itself with them. It never trusts what it has no pin of.
 */
export const discoverScript = (): string => scriptText("discover.sh");

const SOURCED = ["common.sh", "download.sh", "runtime-packages.sh", "runtime-tarball.sh"];

let renderedScripts: string | undefined;

/** The scripts as they are sent to every worker. They are most of what a worker is sent, so they are rendered once. */
const renderScripts = (): string =>
  (renderedScripts ??= SCRIPTS.map((name) =>
    renderFile({
      path: `${PATHS.scripts}/${name}`,
      mode: SOURCED.includes(name) ? "0644" : "0755",
      text: scriptText(name),
    }),
  ).join("\n"));

/**
 * What a bare host is sent first: a script that installs the other scripts, `host.conf` and what else there is for `host.sh`, and then runs
 * `host.sh apply`.
 * All of it is one function that the last line calls, so a transfer that breaks off runs nothing.
 */
export function renderHostScript(hostConf: HostConf, more: readonly HostFile[] = []): string {
  const own = [{ path: PATHS.hostConf, mode: "0644", text: renderConf(hostConf) }, ...more].map(renderFile);
  return scriptText("install.sh").replace("  # files\n", () => `${[...own, renderScripts()].join("\n")}\n`);
}
