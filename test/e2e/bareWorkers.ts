import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { arch } from "node:process";
import { RELEASES } from "../../components/runtime/releases";
import { RUNC_VERSION } from "../../lab/workers/bareRootfs";
import type { TestLab } from "./testLab";

/**
 * Two workers with only Debian, sshd and a user with sudo, behind a bastion and on another SSH port. PACKAGE installs its container runtime
 * from packages. TARBALL, whose /usr is read-only, installs it from releases.
 */
export const PACKAGE = "worker-5";
export const TARBALL = "worker-6";
const BASTION = "worker-1";
export const ARCH = arch === "x64" ? "amd64" : arch;

/** Long enough for the first time, which builds packages and releases. */
export const BRING_UP_MS = 900_000;

/** A container on this machine may not be allowed to lower the OOM score of its processes. */
const OOM = { restrict_oom_score_adj: true };
const CONTAINERD = {
  sandboxImage: "lab.local/pause:1",
  config: { plugins: { "io.containerd.grpc.v1.cri": OOM, "io.containerd.cri.v1.runtime": OOM } },
};

/** The container runtime of a bare worker, from releases on the lab's mirror. */
export async function tarballRuntime(lab: TestLab) {
  const { mirror, mirrorDir } = await lab.facts();
  const sha256 = async (...path: string[]) => ({
    [ARCH]: createHash("sha256")
      .update(await readFile(join(mirrorDir, "github", ...path)))
      .digest("hex"),
  });
  const { containerd, cniPlugins } = RELEASES;
  const archive = `containerd-${containerd.version}-linux-${ARCH}.tar.gz`;
  const plugins = `cni-plugins-linux-${ARCH}-v${cniPlugins.version}.tgz`;
  return {
    type: "tarball",
    downloadUrl: `${mirror}/github`,
    containerd: {
      ...CONTAINERD,
      sha256: await sha256("containerd/containerd/releases/download", `v${containerd.version}`, archive),
    },
    runc: {
      version: RUNC_VERSION,
      sha256: await sha256("opencontainers/runc/releases/download", `v${RUNC_VERSION}`, `runc.${ARCH}`),
    },
    cniPlugins: {
      sha256: await sha256("containernetworking/plugins/releases/download", `v${cniPlugins.version}`, plugins),
    },
  };
}

/** Brings both up beside the lab's other workers, and makes a pool of each. */
export async function bringUpBareWorkers(lab: TestLab): Promise<void> {
  await lab.out("up", "--workers", "6", "--bare", "2");
  for (const worker of [PACKAGE, TARBALL])
    await lab.shell(worker, "echo Port 2222 >/etc/ssh/sshd_config.d/port.conf; systemctl restart ssh");
  await lab.shell(TARBALL, "mount --bind /usr /usr; mount -o remount,ro,bind /usr");
  const bastion = await hostOf(lab, BASTION);
  const tarball = await tarballRuntime(lab);
  await lab.configure((settings) => {
    settings["tls-bootstrap:binDir"] = "/opt/bin";
    settings["tls-bootstrap:ssh"].port = 2222;
    settings["tls-bootstrap:ssh"].bastion = { user: "admin", host: bastion.address, hostKey: bastion.hostKey };
    const [{ workers, ...pool }] = settings["tls-bootstrap:pools"];
    const only = (name: string) => workers.filter((worker: { name: string }) => worker.name === name);
    settings["tls-bootstrap:pools"] = [
      { ...pool, name: "package", runtime: { type: "package", containerd: CONTAINERD }, workers: only(PACKAGE) },
      { ...pool, name: "tarball", runtime: tarball, workers: only(TARBALL) },
    ];
  });
}

/** Gives the lab back the workers that every file finds. */
export const removeBareWorkers = (lab: TestLab): Promise<string> => lab.out("up", "--workers", "4", "--bare", "0");

/** Address and host key of a worker. */
export async function hostOf(lab: TestLab, name: string): Promise<{ address: string; hostKey: string }> {
  const { address } = (await lab.status()).workers.find((worker) => worker.name === name)!;
  const key = await lab.exec(name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub");
  return { address, hostKey: key.split(" ").slice(0, 2).join(" ") };
}

/** The files and packages of a VM, without files that change by themselves. */
export const inventoryOf = (lab: TestLab, worker: string): Promise<string> =>
  lab.shell(
    worker,
    "find /etc /opt /usr /home /var/lib -xdev ! -name .sudo_as_admin_successful ! -path '/var/lib/systemd/*' ! -path '/var/lib/apt/*' ! -path '/var/lib/dpkg/*' | sort; dpkg-query -W",
  );
