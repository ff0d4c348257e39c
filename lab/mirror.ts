import { createHash } from "node:crypto";
import { constants, createReadStream, existsSync } from "node:fs";
import { copyFile, cp, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { findBinary } from "./kubernetes/binaries";
import { type Binary, WORKER_BINARIES } from "./kubernetes/module";
import type { Lab } from "./lab";
import { MIRROR_PORT } from "./network/addresses";
import { type Daemon, runsAs, startDaemon, stopDaemon, waitReady } from "./system/daemon";
import { architecture } from "./system/machine";
import { accepts } from "./system/ports";
import type { BaseRootfs } from "./worker/rootfs";

/** The name under which its log and its process are known. */
export const MIRROR = "mirror";

export const mirrorUrl = (lab: Lab): string => `http://${lab.network.host}:${MIRROR_PORT}`;

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/**
 * Puts the worker's binaries where the mirror serves them, laid out like dl.k8s.io. They are copies: a test may spoil one
 * without spoiling the cache.
 */
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
    await writeFile(`${to}.sha256`, await sha256(`${to}.new`));
    await rename(`${to}.new`, to);
  };
  await Promise.all(WORKER_BINARIES.map(add));
}

/** Adds what bare workers can install: packages for apt, and releases laid out like GitHub. */
export async function fillMirrorForBare(lab: Lab, packages: string, releases: string): Promise<void> {
  await cp(packages, join(lab.paths.mirror, "debian"), { recursive: true });
  await cp(releases, join(lab.paths.mirror, "github"), { recursive: true });
}

/** Serves the mirror's folder on the lab's bridge by the busybox of the workers' root file system. */
export async function ensureMirror(lab: Lab, base: BaseRootfs): Promise<void> {
  const { host } = lab.network;
  const daemon: Daemon = {
    name: MIRROR,
    pidFile: lab.paths.pidFile(MIRROR),
    logFile: lab.paths.logFile(MIRROR),
    command: [
      join(base.debian, "bin", "busybox"),
      "httpd",
      "-f",
      "-p",
      `${host}:${MIRROR_PORT}`,
      "-h",
      lab.paths.mirror,
    ],
  };
  if (!runsAs(daemon)) {
    await stopDaemon(daemon.pidFile);
  }
  await startDaemon(daemon);
  await waitReady(daemon, () => accepts(host, MIRROR_PORT), 5000);
}
