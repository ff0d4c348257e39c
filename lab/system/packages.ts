import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../paths";
import { LabError } from "./errors";
import { withLock } from "./lock";
import { architecture, which } from "./machine";
import type { Say } from "./progress";
import { run } from "./run";

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
  tar: "tar",
};

const APT_LOCK = "/run/lock/tls-bootstrap-lab-packages.lock";
const APT_ENVIRONMENT = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
const APT_OPTIONS = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];

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
  await withLock(
    APT_LOCK,
    () => say("waiting for another lab that installs packages"),
    async () => {
      const packages = await missing();
      if (packages.length === 0) {
        return;
      }
      if (!(await which("apt-get"))) {
        throw new LabError(
          `these commands' packages are missing, and there is no apt-get to install them: ${packages.join(", ")}`,
          "Install what your distribution has in their place.",
        );
      }
      say("apt-get update");
      await run("apt-get", ["update", "-q"], { env: APT_ENVIRONMENT });
      say(`apt-get install ${packages.join(" ")}`);
      await run("apt-get", ["install", ...APT_OPTIONS, ...packages], { env: APT_ENVIRONMENT });
    },
  );
}

/**
 * etcd from PATH, or out of Debian's package. The package is unpacked, not installed: installing it would start an etcd of
 * its own on this machine.
 */
export async function ensureEtcd(say: Say): Promise<string> {
  const folder = join(cacheFolder(), `etcd-${architecture()}`);
  const file = join(folder, "usr/bin/etcd");
  const installed = (await which("etcd")) ?? (existsSync(file) ? file : undefined);
  if (installed !== undefined) {
    return installed;
  }
  if (!(await which("apt-get"))) {
    throw new LabError("etcd is not on PATH", "Install etcd 3.4 or newer.");
  }
  await withLock(
    `${folder}.lock`,
    () => say("waiting for another lab that unpacks it"),
    async () => {
      if (existsSync(file)) {
        return;
      }
      const staging = `${folder}.new`;
      await rm(staging, { recursive: true, force: true });
      await mkdir(staging, { recursive: true });
      const download = ["download", "-q", "-o", "APT::Sandbox::User=root", "etcd-server"];
      say("apt-get download etcd-server");
      await run("apt-get", download, { cwd: staging, env: APT_ENVIRONMENT }).catch(async () => {
        await run("apt-get", ["update", "-q"], { env: APT_ENVIRONMENT });
        await run("apt-get", download, { cwd: staging, env: APT_ENVIRONMENT });
      });
      const archive = (await readdir(staging)).find((name) => name.endsWith(".deb"));
      if (archive === undefined) {
        throw new LabError("apt-get download etcd-server brought no package");
      }
      await run("dpkg-deb", ["-x", join(staging, archive), staging]);
      await rm(folder, { recursive: true, force: true });
      await rename(staging, folder);
    },
  );
  return file;
}
