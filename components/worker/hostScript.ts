import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PATHS } from "../cluster/names";
import { type HostConf, renderConf } from "../host/hostConf";
import { type HostFile, renderFile, renderPacked } from "../host/hostFiles";

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
  "in-force.sh",
  "leave.sh",
  "report.sh",
  "drain.sh",
];

const scriptTexts = new Map<string, string>();

/** Reads a script, once for all workers. */
function scriptText(name: string): string {
  const text = scriptTexts.get(name) ?? withoutComments(readFileSync(join(__dirname, "scripts", name), "utf8"));
  scriptTexts.set(name, text);
  return text;
}

/**
 * A script without its comments. They are for readers of this repository, and a quarter of the text, which the state has twice for each worker.
 * Here-documents keep theirs.
 */
export function withoutComments(script: string): string {
  let end: string | undefined;
  const isCode = (line: string): boolean => {
    if (end === undefined && /^\s*#(?!!)/.test(line)) return false;
    if (end === undefined) end = /<<'?([A-Z]+)'?/.exec(line)?.[1];
    else if (line === end) end = undefined;
    return true;
  };
  return script.split("\n").filter(isCode).join("\n");
}

/**
 * The shell script `discover.sh`, for machines that get the CA neither over SSH nor in their user data. `sh discover.sh <server> <pin>…`
 * reads cluster-info and prints the CA certificates that have one of the pins (see {@link caPins}). It fails when the server does not prove
 * itself with them. It trusts no certificate without a pin.
 */
export const discoverScript = (): string => scriptText("discover.sh");

/** Scripts that other scripts include. They need no execute permission. */
const SOURCED_SCRIPTS = [
  "common.sh",
  "download.sh",
  "runtime-packages.sh",
  "runtime-tarball.sh",
  "in-force.sh",
  "drain.sh",
];

/** A script of this module, as a file on a host. */
export const scriptFile = (name: string): HostFile => ({
  path: `${PATHS.scripts}/${name}`,
  mode: SOURCED_SCRIPTS.includes(name) ? "0644" : "0755",
  text: scriptText(name),
});

let packedScripts: string | undefined;

/** Packs the scripts of a worker, once for all workers. */
const packScripts = (): string => (packedScripts ??= renderPacked(SCRIPTS.map(scriptFile)));

/** The scripts of a machine that joins by its user data. */
export const machineScripts = (): HostFile[] => [...SCRIPTS, "boot.sh"].map(scriptFile);

/** The script that installs {@link machineScripts} from their bundle. */
export const unpackScript = (): string => scriptText("unpack.sh");

/**
 * Renders the first script for a bare host. The script checks the host, installs the other scripts, `host.conf` and the extra files, and
 * runs `host.sh apply`. Its last line calls the one function that does all this, so an incomplete script runs nothing.
 * @param extraFiles for `host.sh`, besides `host.conf`.
 * @param scripts of a host that is no worker: its own `preflight.sh` and `host.sh`, `run.sh`, `common.sh`, and what these use.
 */
export function renderHostScript(
  hostConf: HostConf | Readonly<Record<string, string>>,
  extraFiles: readonly HostFile[] = [],
  scripts?: readonly HostFile[],
): string {
  const files = [{ path: PATHS.hostConf, mode: "0644", text: renderConf(hostConf) }, ...extraFiles].map(renderFile);
  return scriptText("install.sh").replace(
    "  : files\n",
    () => `${[...files, scripts ? renderPacked(scripts) : packScripts()].join("\n")}\n`,
  );
}
