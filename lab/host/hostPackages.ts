import { LabError } from "./labError";
import { withLock } from "./lock";
import { which } from "./platform";
import { run } from "./run";
import type { Say } from "./say";

/** The commands that a lab runs on the host, and the Debian package that has each. */
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

export const aptGet = (args: readonly string[], cwd?: string): Promise<string> =>
  run("apt-get", ["-q", ...args], { cwd, env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" } });

async function missingPackages(): Promise<string[]> {
  const missing = await Promise.all(
    Object.entries(HOST_COMMANDS).map(async ([command, name]) => ((await which(command)) ? [] : [name])),
  );
  return [...new Set(missing.flat())].sort();
}

/** Installs the Debian packages of the commands that this machine lacks. */
export async function ensureHostPackages(say: Say): Promise<void> {
  if ((await missingPackages()).length === 0) {
    return;
  }
  const install = async (): Promise<void> => {
    const packages = await missingPackages(); // Another lab may have installed them while this one waited.
    if (!(await which("apt-get"))) {
      throw new LabError(
        `this machine lacks commands of these Debian packages, and has no apt-get: ${packages.join(", ")}`,
        "Install the packages of your distribution that have the same commands.",
      );
    }
    say("apt-get update");
    await aptGet(["update"]);
    say(`apt-get install ${packages.join(" ")}`);
    await aptGet(["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...packages]);
  };
  await withLock(APT_LOCK, install, () => say("waiting for another lab, which installs packages"));
}
