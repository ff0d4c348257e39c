import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../labPaths";
import { ensureCached } from "../builds/cache";
import { LabError } from "../host/labError";
import { withLock } from "../host/lock";
import { architecture, which } from "../host/platform";
import type { Say } from "../cli/progress";
import { run } from "../host/run";

/** The commands that a lab needs on the machine, and the Debian packages that have them. */
const HOST_COMMANDS: Readonly<Record<string, string>> = {
  debootstrap: "debootstrap",
  "systemd-nspawn": "systemd-container",
  ip: "iproute2",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
  unshare: "util-linux",
  nsenter: "util-linux",
  setpriv: "util-linux",
  flock: "util-linux",
  sysctl: "procps",
  tar: "tar",
};

const APT_LOCK = "/run/lock/tls-bootstrap-lab-packages.lock";

const aptGet = (args: readonly string[], cwd?: string): Promise<string> =>
  run("apt-get", ["-q", ...args], { cwd, env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" } });

async function missing(): Promise<string[]> {
  const absent = await Promise.all(
    Object.entries(HOST_COMMANDS).map(async ([command, name]) => ((await which(command)) ? [] : [name])),
  );
  return [...new Set(absent.flat())].sort();
}

/** Installs the Debian packages whose commands are missing on this machine. */
export async function ensureHostPackages(say: Say): Promise<void> {
  if ((await missing()).length === 0) {
    return;
  }
  const install = async (): Promise<void> => {
    const packages = await missing(); // Another lab may have installed them by now.
    if (!(await which("apt-get"))) {
      throw new LabError(
        `these commands' packages are missing, and there is no apt-get to install them: ${packages.join(", ")}`,
        "Install what your distribution has in their place.",
      );
    }
    say("apt-get update");
    await aptGet(["update"]);
    say(`apt-get install ${packages.join(" ")}`);
    await aptGet(["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...packages]);
  };
  await withLock(APT_LOCK, install, () => say("waiting for another lab that installs packages"));
}

/**
 * etcd from PATH, or out of Debian's package. The package is unpacked, not installed: installing it would start an etcd of
 * its own on this machine.
 */
export async function ensureEtcd(say: Say): Promise<string> {
  const installed = await which("etcd");
  if (installed !== undefined) {
    return installed;
  }
  const unpack = async (staging: string): Promise<void> => {
    if (!(await which("apt-get"))) {
      throw new LabError("etcd is not on PATH", "Install etcd 3.4 or newer.");
    }
    await mkdir(staging);
    say("apt-get download etcd-server");
    const options = ["-o", "APT::Sandbox::User=root"];
    const download = (): Promise<string> => aptGet(["download", ...options, "etcd-server"], staging);
    await download().catch(async () => {
      await aptGet(["update"]);
      await download();
    });
    const archive = (await readdir(staging)).find((name) => name.endsWith(".deb"))!;
    await run("dpkg-deb", ["-x", join(staging, archive), staging]);
  };
  const folder = await ensureCached(join(cacheFolder(), `etcd-${architecture()}`), say, unpack);
  return join(folder, "usr/bin/etcd");
}
