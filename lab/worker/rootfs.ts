import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "../paths";
import { withLock } from "../system/lock";
import { architecture, mayLowerOomScore } from "../system/machine";
import { mounts, removeTree } from "../system/mounts";
import { type Say, withHeartbeat } from "../system/progress";
import { contained, run } from "../system/run";
import {
  LAB_FOLDER,
  NO_SWAPS,
  renderContainerdConfig,
  renderImagesService,
  renderMachineScript,
  renderMachineService,
  RESOLV_CONF,
  SUDOERS,
  SYSTEMD_CONF,
} from "./files";
import { buildImages } from "./images";

const SUITE = "bookworm";
const PACKAGES = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "openssh-server",
  "sudo",
  "containerd",
  "runc",
  "containernetworking-plugins",
  "iptables",
  "iproute2",
  "conntrack",
  "ethtool",
  "socat",
  "curl",
  "ca-certificates",
  "kmod",
  "mount",
  "procps",
  "busybox-static",
];
const SCRIPT = join(__dirname, "rootfs.sh");
const PAUSE_SOURCE = join(__dirname, "pause", "main.go");
const IMAGES_SOURCE = join(__dirname, "images.ts");

interface File {
  readonly text: string;
  readonly mode: number;
}

/** What every worker has besides Debian's packages. */
export function baseFiles(input: { readonly restrictOomScoreAdj: boolean }): Record<string, File> {
  const file = (text: string, mode = 0o644): File => ({ text, mode });
  return {
    "etc/containerd/config.toml": file(renderContainerdConfig(input)),
    "etc/resolv.conf": file(RESOLV_CONF),
    "etc/sudoers.d/admin": file(SUDOERS, 0o440),
    "etc/systemd/system.conf.d/lab.conf": file(SYSTEMD_CONF),
    "etc/systemd/system/lab-machine.service": file(renderMachineService()),
    "etc/systemd/system/lab-images.service": file(renderImagesService()),
    [`${LAB_FOLDER.slice(1)}/machine.sh`]: file(renderMachineScript(), 0o755),
    [`${LAB_FOLDER.slice(1)}/swaps`]: file(NO_SWAPS),
  };
}

/** The services of the lab that a worker starts, and for whom. */
const ENABLED: Readonly<Record<string, string>> = {
  "lab-machine.service": "sysinit.target",
  "lab-images.service": "multi-user.target",
};

export async function enableService(rootfs: string, service: string, target: string): Promise<void> {
  const folder = join(rootfs, "etc/systemd/system", `${target}.wants`);
  await mkdir(folder, { recursive: true });
  await symlink(`../${service}`, join(folder, service)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") {
      throw error;
    }
  });
}

/** The same for the same recipe: a change of anything that goes in gives another root file system. */
export function recipeHash(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    hash.update(`${part.length}\n${part}`);
  }
  return hash.digest("hex").slice(0, 12);
}

/** What all workers share, read-only: the lower layers of their overlays. */
export interface BaseRootfs {
  /** Debian as debootstrap makes it: takes minutes, and seldom changes. */
  readonly debian: string;
  /** The layers of the overlay, the topmost first. */
  readonly layers: readonly string[];
  /** What a worker's /var is a copy of. */
  readonly var: string;
}

/** As the mount option `lowerdir` wants it. */
export const lowerDir = ({ layers }: BaseRootfs): string => layers.join(":");

/** Finds the shared layers in the cache, or makes them. */
export async function ensureBaseRootfs(say: Say): Promise<BaseRootfs> {
  const read = (file: string): Promise<string> => readFile(file, "utf8");
  const debianHash = recipeHash([SUITE, architecture(), PACKAGES.join(), await read(SCRIPT)]);
  const debian = await ensureLayer(`debian-${debianHash}`, say, (staging) => makeDebian(staging, say));

  const files = baseFiles({ restrictOomScoreAdj: !(await mayLowerOomScore()) });
  const labHash = recipeHash([JSON.stringify([files, ENABLED]), await read(PAUSE_SOURCE), await read(IMAGES_SOURCE)]);
  const lab = await ensureLayer(`lab-${debianHash}-${labHash}`, say, (staging) => makeLab(staging, debian, files, say));
  return { debian, layers: [lab, debian], var: join(debian, "var") };
}

/** A folder of the cache: complete if it is there at all. */
export async function ensureLayer(name: string, say: Say, make: (staging: string) => Promise<void>): Promise<string> {
  const cache = join(cacheFolder(), "rootfs");
  const folder = join(cache, name);
  if (existsSync(folder)) {
    await utimes(folder, new Date(), new Date());
    return folder;
  }
  await mkdir(cache, { recursive: true });
  const waiting = (): void => say("waiting for another lab that makes it");
  await withLock(join(cache, ".lock"), waiting, async () => {
    if (existsSync(folder)) {
      return;
    }
    await removeUnused(cache);
    const staging = join(cache, STAGING);
    await mkdir(staging, { mode: 0o755 });
    await make(staging);
    await rename(staging, folder);
  });
  return folder;
}

const STAGING = "new";
const UNUSED_DAYS = 7;

/** What an interrupted command left, and layers of earlier recipes that nobody has used for some time. */
async function removeUnused(cache: string): Promise<void> {
  const mounted = mounts()
    .flatMap(({ options }) => /lowerdir=([^,]*)/.exec(options)?.[1].split(":") ?? [])
    .map((layer) => layer.replace(/\/root$/, "")); // of a bare worker
  const oldest = Date.now() - UNUSED_DAYS * 24 * 3600 * 1000;
  for (const name of (await readdir(cache)).filter((entry) => /^(debian-|lab-|bare-|new)/.test(entry))) {
    const folder = join(cache, name);
    const old = (await stat(folder)).mtimeMs < oldest;
    if (name.startsWith(STAGING) || (old && !mounted.includes(folder))) {
      await removeTree(folder);
    }
  }
}

async function makeDebian(staging: string, say: Say): Promise<void> {
  const logFile = `${staging}.log`;
  await rm(logFile, { force: true });
  await withHeartbeat(say, `debootstrap ${SUITE}`, () =>
    run(...contained(SCRIPT, [staging, SUITE, PACKAGES.join()]), { logFile, cwd: "/" }),
  );
  await rm(logFile, { force: true });
}

async function makeLab(staging: string, debian: string, files: Record<string, File>, say: Say): Promise<void> {
  for (const [path, { text, mode }] of Object.entries(files)) {
    await mkdir(dirname(join(staging, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(staging, path), text, { mode });
  }
  for (const [service, target] of Object.entries(ENABLED)) {
    await enableService(staging, service, target);
  }
  say("container images");
  const scratch = `${staging}-images`;
  await buildImages(join(debian, "bin/busybox"), join(staging, LAB_FOLDER, "images"), scratch);
  await removeTree(scratch);
}
