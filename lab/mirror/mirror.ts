import { hash } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findBinary } from "../builds/kubernetes/binaries";
import { type Binary, SERVER_BINARIES, WORKER_BINARIES } from "../builds/kubernetes/module";
import { ensureEtcd, etcdVersion } from "../builds/etcd";
import type { Lab } from "../labState";
import { MIRROR_PORT } from "../network/addresses";
import { ensureDaemon } from "../host/daemon";
import { architecture } from "../host/platform";
import { acceptsConnections } from "../host/ports";
import { run } from "../host/run";
import type { BaseRootfs } from "../workers/rootfs";

/** Name of the mirror's process and log. */
export const MIRROR = "mirror";

export const mirrorUrl = (lab: Lab): string => `http://${lab.network.host}:${MIRROR_PORT}`;

/** Copies the machines' binaries into the mirror, laid out like dl.k8s.io. They are copies, because tests damage them. */
export async function fillMirror(lab: Lab, version: string): Promise<void> {
  const folder = join(lab.paths.mirror, `v${version}`, "bin", "linux", architecture());
  await mkdir(folder, { recursive: true });
  const add = async (binary: Binary): Promise<void> => {
    const to = join(folder, binary);
    const from = await findBinary(binary, version);
    if (from === undefined || (existsSync(to) && existsSync(`${to}.sha256`))) {
      return;
    }
    await copyFile(from, `${to}.new`, constants.COPYFILE_FICLONE);
    await writeFile(`${to}.sha256`, hash("sha256", await readFile(`${to}.new`)));
    await rename(`${to}.new`, to);
  };
  await Promise.all(WORKER_BINARIES.map(add));
  if (lab.controllers.length > 0) {
    await Promise.all(SERVER_BINARIES.map(add));
    await addEtcd(lab);
  }
  await writeChecksums(lab.paths.mirror);
}

/** Packs etcd as its releases on GitHub are. */
async function addEtcd(lab: Lab): Promise<void> {
  const program = await ensureEtcd(() => undefined);
  const version = await etcdVersion(program);
  const name = `etcd-v${version}-linux-${architecture()}`;
  const folder = join(lab.paths.mirror, `v${version}`);
  const archive = join(folder, `${name}.tar.gz`);
  if (existsSync(archive)) {
    return;
  }
  const staging = join(folder, name);
  await mkdir(staging, { recursive: true });
  await copyFile(program, join(staging, "etcd"));
  await run("tar", ["-C", folder, "-czf", `${archive}.new`, name]);
  await writeFile(`${archive}.sha256`, hash("sha256", await readFile(`${archive}.new`)));
  await rename(`${archive}.new`, archive);
  await rm(staging, { recursive: true });
}

/** The file of the setting `checksums`: what the binaries in the mirror have now. */
export const checksumsFile = (mirror: string): string => join(mirror, "SHA256SUMS");

/** Writes the checksums file anew from the mirror's files. */
export async function writeChecksums(mirror: string): Promise<void> {
  const files = await readdir(mirror, { recursive: true });
  const lines = files
    .filter((path) => /^v.*\.sha256$/.test(path))
    .sort()
    .map(async (path) => {
      const sha256 = (await readFile(join(mirror, path), "utf8")).trim();
      return `${sha256}  ${path.replace(/\.sha256$/, "")}\n`;
    });
  await writeFile(checksumsFile(mirror), (await Promise.all(lines)).join(""));
}

/** Adds what bare workers install: an apt repository, and container runtime releases laid out like GitHub. */
export async function addBareWorkerFiles(lab: Lab, packages: string, releases: string): Promise<void> {
  await cp(packages, join(lab.paths.mirror, "debian"), { recursive: true });
  await cp(releases, join(lab.paths.mirror, "github"), { recursive: true });
}

/** Serves the mirror's folder on the lab's bridge with the busybox of the workers' root file system. */
export async function ensureMirror(lab: Lab, base: BaseRootfs): Promise<void> {
  const { host } = lab.network;
  const daemon = {
    name: MIRROR,
    pidFile: lab.paths.pidFile(MIRROR),
    logFile: lab.paths.logFile(MIRROR),
    command: [`${base.debian}/bin/busybox`, "httpd", "-f", "-p", `${host}:${MIRROR_PORT}`, "-h", lab.paths.mirror],
  };
  await ensureDaemon(daemon, () => acceptsConnections(host, MIRROR_PORT), 5000);
}
