import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
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
const DEBIAN_MIRROR = "http://deb.debian.org/debian";
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

/** The root file system that all workers share, read-only, as the lower layer of their overlays; made once. */
export async function ensureBaseRootfs(say: Say): Promise<string> {
  const files = baseFiles({ restrictOomScoreAdj: !(await mayLowerOomScore()) });
  const sources = await Promise.all([SCRIPT, PAUSE_SOURCE, IMAGES_SOURCE].map((source) => readFile(source, "utf8")));
  const hash = recipeHash([
    architecture(),
    SUITE,
    PACKAGES.join(),
    JSON.stringify(files),
    JSON.stringify(ENABLED),
    ...sources,
  ]);
  const cache = join(cacheFolder(), "rootfs");
  const folder = join(cache, `${SUITE}-${architecture()}-${hash}`);
  if (existsSync(folder)) {
    return folder;
  }
  await mkdir(cache, { recursive: true });
  await withLock(
    join(cache, ".lock"),
    () => say("waiting for another lab that makes it"),
    async () => {
      if (existsSync(folder)) {
        return;
      }
      for (const leftover of (await readdir(cache)).filter((name) => name.endsWith(".new"))) {
        await removeTree(join(cache, leftover));
      }
      const staging = `${folder}.new`;
      const logFile = join(cache, "debootstrap.log");
      await rm(logFile, { force: true });
      const mirror = process.env.TLS_BOOTSTRAP_LAB_DEBIAN || DEBIAN_MIRROR;
      await withHeartbeat(say, `debootstrap ${SUITE}`, () =>
        run(...contained(SCRIPT, [staging, SUITE, mirror, PACKAGES.join()]), { logFile, cwd: "/" }),
      );
      for (const [path, { text, mode }] of Object.entries(files)) {
        await mkdir(dirname(join(staging, path)), { recursive: true });
        await writeFile(join(staging, path), text, { mode });
      }
      for (const [service, target] of Object.entries(ENABLED)) {
        await enableService(staging, service, target);
      }
      say("container images");
      const scratch = `${folder}.images.new`;
      await buildImages(join(staging, "bin/busybox"), join(staging, LAB_FOLDER, "images"), scratch);
      await removeTree(scratch);
      await rename(staging, folder);
    },
  );
  return folder;
}
