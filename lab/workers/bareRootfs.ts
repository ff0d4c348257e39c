import { join } from "node:path";
import { RELEASES } from "../../components/runtime/runtimeSpec";
import { cacheFolder } from "../labPaths";
import { ensureCached, runLongCommand } from "../builds/cache";
import { architecture } from "../host/platform";
import type { Say } from "../host/say";
import { type BaseRootfs, ensureLayer, lowerDirOption, recipeHash } from "./rootfs";

/** What a bare worker lacks: all that a container runtime brings. Its apt finds these packages in the lab's mirror. */
const PACKAGES = ["containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ethtool", "socat"];
/** What makes a host whose package manager is dnf out of one, for tests; in the mirror too. */
const DNF = ["dnf", "rpm", "createrepo-c"];
const SCRIPT = join(__dirname, "bareRootfs.sh");

export interface BareRootfs extends BaseRootfs {
  /** The packages that bare workers lack, as a repository for apt. */
  readonly packages: string;
}

/** Finds the layers of bare workers in the cache, or makes them. */
export async function ensureBareRootfs(base: BaseRootfs, say: Say): Promise<BareRootfs> {
  const hash = await recipeHash([lowerDirOption(base), PACKAGES.join(), DNF.join()], [SCRIPT]);
  const layer = await ensureLayer(`bare-${hash}`, say, (staging) => {
    const args = [lowerDirOption(base), staging, PACKAGES.join(" "), DNF.join(" ")];
    return runLongCommand(say, "taking packages away", staging, SCRIPT, args);
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
export async function ensureRuntimeReleases({ debian }: BaseRootfs, say: Say): Promise<string> {
  const versions = [RELEASES.containerd.version, RUNC_VERSION, RELEASES.cniPlugins.version];
  const hash = await recipeHash([architecture(), ...versions], [RELEASES_SCRIPT]);
  return ensureCached(join(cacheFolder(), "releases", hash), say, (staging) =>
    runLongCommand(say, "building containerd and plugins", staging, RELEASES_SCRIPT, [debian, staging, ...versions]),
  );
}
