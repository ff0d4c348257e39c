import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { RELEASES } from "../../components/runtime";
import { cacheFolder } from "../paths";
import { withLock } from "../system/lock";
import { architecture } from "../system/machine";
import { removeTree } from "../system/mounts";
import { type Say, withHeartbeat } from "../system/progress";
import { contained, run } from "../system/run";
import { type BaseRootfs, ensureLayer, lowerDir, recipeHash } from "./rootfs";

/** What a bare worker lacks: all that a container runtime brings. Its apt finds these packages in the lab's mirror. */
const PACKAGES = ["containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ethtool", "socat"];
/** What makes a host whose package manager is dnf out of one, for tests; in the mirror too. */
const DNF = ["dnf", "rpm", "createrepo-c"];
const SCRIPT = join(__dirname, "bare.sh");

export interface BareRootfs extends BaseRootfs {
  /** The packages that bare workers lack, as a repository for apt. */
  readonly packages: string;
}

/** Finds the layers of bare workers in the cache, or makes them. */
export async function ensureBareRootfs(base: BaseRootfs, say: Say): Promise<BareRootfs> {
  const hash = recipeHash([lowerDir(base), PACKAGES.join(), DNF.join(), await readFile(SCRIPT, "utf8")]);
  const logFile = join(cacheFolder(), "rootfs", "bare.log");
  const layer = await ensureLayer(`bare-${hash}`, say, async (staging) => {
    await rm(logFile, { force: true });
    await withHeartbeat(say, "taking packages away", () =>
      run(...contained(SCRIPT, [lowerDir(base), staging, PACKAGES.join(" "), DNF.join(" ")]), { logFile, cwd: "/" }),
    );
    await rm(logFile, { force: true });
  });
  return {
    ...base,
    layers: [join(layer, "root"), ...base.layers],
    var: join(layer, "var"),
    packages: join(layer, "packages"),
  };
}

/** Debian's runc, so that its version is no later one than that. */
export const RUNC_VERSION = "1.1.5";
const RELEASES_SCRIPT = join(__dirname, "releases.sh");

/** Finds the releases of a container runtime in the cache, or makes them: their folder is laid out like GitHub. */
export async function ensureReleases({ debian }: BaseRootfs, say: Say): Promise<string> {
  const versions = [RELEASES.containerd.version, RUNC_VERSION, RELEASES.cniPlugins.version];
  const hash = recipeHash([architecture(), ...versions, await readFile(RELEASES_SCRIPT, "utf8")]);
  const cache = join(cacheFolder(), "releases");
  const folder = join(cache, hash);
  const logFile = join(cache, "build.log");
  await mkdir(cache, { recursive: true });
  const waiting = (): void => say("waiting for another lab that makes them");
  await withLock(join(cache, ".lock"), waiting, async () => {
    if (existsSync(folder)) {
      return;
    }
    const staging = join(cache, "new");
    await removeTree(staging);
    await mkdir(staging);
    await rm(logFile, { force: true });
    await withHeartbeat(say, "building containerd and plugins", () =>
      run(...contained(RELEASES_SCRIPT, [debian, staging, ...versions]), { logFile, cwd: "/" }),
    );
    await rm(logFile, { force: true });
    await rename(staging, folder);
  });
  return folder;
}
