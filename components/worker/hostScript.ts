import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PATHS } from "../cluster/names";
import { type HostConf, renderConf } from "../host/hostConf";
import { type HostFile, renderFile } from "../host/hostFiles";

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

/** The text of a script, read once for all workers. */
function scriptText(name: string): string {
  const text = scriptTexts.get(name) ?? readFileSync(join(__dirname, "scripts", name), "utf8");
  scriptTexts.set(name, text);
  return text;
}

/**
 * A shell script for machines that get the CA neither over SSH nor in their user data. `sh discover.sh <server> <pin>…` prints the CA certificates with
 * these pins (see {@link caPins}). It reads them from cluster-info, and checks that the server proves itself with them. It trusts no certificate without a pin.
 */
export const discoverScript = (): string => scriptText("discover.sh");

const SOURCED = ["common.sh", "download.sh", "runtime-packages.sh", "runtime-tarball.sh"];

let renderedScripts: string | undefined;

/** The scripts as every worker gets them. They are most of the text, so they are rendered once. */
const renderScripts = (): string =>
  (renderedScripts ??= SCRIPTS.map((name) =>
    renderFile({
      path: `${PATHS.scripts}/${name}`,
      mode: SOURCED.includes(name) ? "0644" : "0755",
      text: scriptText(name),
    }),
  ).join("\n"));

/**
 * The first script for a bare host. It installs the other scripts, `host.conf` and more files for `host.sh`, and runs `host.sh apply`. All of it is one function that
 * the last line calls, so a transfer that breaks off runs nothing.
 */
export function renderHostScript(hostConf: HostConf, more: readonly HostFile[] = []): string {
  const own = [{ path: PATHS.hostConf, mode: "0644", text: renderConf(hostConf) }, ...more].map(renderFile);
  return scriptText("install.sh").replace("  # files\n", () => `${[...own, renderScripts()].join("\n")}\n`);
}
