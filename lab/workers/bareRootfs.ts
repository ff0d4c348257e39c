import { join } from "node:path";
import { RELEASES } from "../../components/runtime/releases";
import { cacheFolder } from "../labPaths";
import { ensureCached, runLongCommand } from "../builds/cache";
import { architecture } from "../host/platform";
import type { Say } from "../host/say";
import { type BaseRootfs, ensureLayer, lowerDirOption, recipeHash } from "./rootfs";

/** The packages of a container runtime. A bare worker lacks them, and its apt finds them in the lab's mirror. */
const PACKAGES = ["containerd", "runc", "containernetworking-plugins", "iptables", "conntrack", "ethtool", "socat"];
/** More packages in the mirror, which tests install: dnf as another package manager, and cloud-init. */
const MORE_PACKAGES = ["dnf", "rpm", "createrepo-c", "cloud-init"];
const SCRIPT = join(__dirname, "bareRootfs.sh");

export interface BareRootfs extends BaseRootfs {
  /** The packages that bare workers lack, as a repository for apt. */
  readonly packages: string;
}

/** Returns the layers of bare workers, from the cache or newly made. */
export async function ensureBareRootfs(base: BaseRootfs, say: Say): Promise<BareRootfs> {
  const hash = await recipeHash([lowerDirOption(base), PACKAGES.join(), MORE_PACKAGES.join()], [SCRIPT]);
  const layer = await ensureLayer(`bare-${hash}`, say, (staging) => {
    const args = [lowerDirOption(base), staging, PACKAGES.join(" "), MORE_PACKAGES.join(" ")];
    return runLongCommand(say, "removing packages", staging, SCRIPT, args);
  });
  return {
    ...base,
    layers: [join(layer, "root"), ...base.layers],
    var: join(layer, "var"),
    packages: join(layer, "packages"),
  };
}

/** Version of the runc release in the mirror. The release has Debian's runc, so this is Debian's version. */
export const RUNC_VERSION = "1.1.5";
const RELEASES_SCRIPT = join(__dirname, "releases.sh");

/** Returns the folder of the container runtime releases, from the cache or newly made. It is laid out like GitHub. */
export async function ensureRuntimeReleases({ debian }: BaseRootfs, say: Say): Promise<string> {
  const versions = [RELEASES.containerd.version, RUNC_VERSION, RELEASES.cniPlugins.version];
  const hash = await recipeHash([architecture(), ...versions], [RELEASES_SCRIPT]);
  return ensureCached(join(cacheFolder(), "releases", hash), say, (staging) =>
    runLongCommand(say, "building containerd and plugins", staging, RELEASES_SCRIPT, [debian, staging, ...versions]),
  );
}
