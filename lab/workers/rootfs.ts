import { hash } from "node:crypto";
import { cp, mkdir, readdir, readFile, stat, utimes } from "node:fs/promises";
import { join, relative } from "node:path";
import { cacheFolder } from "../labPaths";
import { ensureCached, runLongCommand } from "../builds/cache";
import { architecture } from "../host/platform";
import { currentMounts, removeTree } from "../host/mounts";
import type { Say } from "../host/say";
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
  "nftables",
  "iproute2",
  "conntrack",
  "ethtool",
  "socat",
  "curl",
  "wget",
  "ca-certificates",
  "kmod",
  "mount",
  "procps",
  "busybox-static",
];
const SCRIPT = join(__dirname, "rootfs.sh");
/** Files that every worker has besides Debian's packages, laid out as on the worker. */
const MACHINE = join(__dirname, "machine");
const IMAGE_SOURCES = [join(__dirname, "images.ts"), join(__dirname, "pause", "main.go")];
const CACHE = join(cacheFolder(), "rootfs");

/** Hash of everything that goes into a root file system. A change of the recipe makes another root file system. */
export async function recipeHash(words: readonly string[], files: readonly string[]): Promise<string> {
  const parts = [...words, ...(await Promise.all(files.map((file) => readFile(file, "utf8"))))];
  return hash("sha256", parts.map((part) => `${part.length}\n${part}`).join("")).slice(0, 12);
}

/** The layers that all workers share, read-only. */
export interface BaseRootfs {
  /** The folder that debootstrap has made. */
  readonly debian: string;
  /** The layers of the overlay, the topmost first. */
  readonly layers: readonly string[];
  /** Folder of which each worker's /var is a copy. */
  readonly var: string;
}

/** The value of an overlay's mount option `lowerdir`. */
export const lowerDirOption = ({ layers }: BaseRootfs): string => layers.join(":");

/** Returns the shared layers, from the cache or newly made. */
export async function ensureBaseRootfs(say: Say): Promise<BaseRootfs> {
  const debianHash = await recipeHash([SUITE, architecture(), PACKAGES.join()], [SCRIPT]);
  const debian = await ensureLayer(`debian-${debianHash}`, say, (staging) =>
    runLongCommand(say, `debootstrap ${SUITE}`, staging, SCRIPT, [staging, SUITE, PACKAGES.join()]),
  );
  const entries = await readdir(MACHINE, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const paths = files.sort().map((file) => relative(MACHINE, file));
  const labHash = await recipeHash(paths, [...files, ...IMAGE_SOURCES]);
  const lab = await ensureLayer(`lab-${debianHash}-${labHash}`, say, async (staging) => {
    await cp(MACHINE, staging, { recursive: true, verbatimSymlinks: true });
    say("container images");
    const scratch = `${staging}-images`;
    await removeTree(scratch);
    await buildImages(join(debian, "bin/busybox"), join(staging, "usr/lib/lab/images"), scratch);
    await removeTree(scratch);
  });
  return { debian, layers: [lab, debian], var: join(debian, "var") };
}

/** Returns a layer, from the cache or newly made. Its modification time says when it was last used. */
export async function ensureLayer(name: string, say: Say, make: (staging: string) => Promise<void>): Promise<string> {
  const folder = await ensureCached(join(CACHE, name), say, async (staging) => {
    await removeUnused();
    await mkdir(staging);
    await make(staging);
  });
  await utimes(folder, new Date(), new Date());
  return folder;
}

const UNUSED_DAYS = 7;

/** Removes layers that no command has used for UNUSED_DAYS, such as those of earlier recipes. */
async function removeUnused(): Promise<void> {
  const mounted = currentMounts()
    .flatMap(({ options }) => /lowerdir=([^,]*)/.exec(options)?.[1].split(":") ?? [])
    .map((layer) => layer.replace(/\/root$/, "")); // A bare worker's layer is the folder `root` in a folder of the cache.
  const oldest = Date.now() - UNUSED_DAYS * 24 * 3600 * 1000;
  for (const name of (await readdir(CACHE)).filter((entry) => /^(debian|lab|bare)-/.test(entry))) {
    const folder = join(CACHE, name);
    if ((await stat(folder)).mtimeMs < oldest && !mounted.includes(folder)) {
      await removeTree(folder);
    }
  }
}
