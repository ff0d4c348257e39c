import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Lab, labCommand, type LabWorker } from "../labState";
import { mirrorUrl } from "../mirror/mirror";
import { ensureWorkerNetwork, removeWorkerNetwork } from "../network/network";
import { type Daemon, ensureDaemon, stopDaemon, waitReady } from "../host/daemon";
import { LabError } from "../host/labError";
import { OWNER_ONLY, WORLD_READABLE, writeFileAtomic } from "../host/files";
import { isMounted, removeTree, unmountAll } from "../host/mounts";
import { readText, runningPid } from "../host/pidFile";
import { attempt, run, type RunResult } from "../host/run";
import { ensureKeyPair } from "../host/sshKeys";
import { waitUntil } from "../host/waitUntil";
import { createGroups, destroyGroups, processesOf } from "./cgroups";
import { ADMIN, renderAptSources, renderCniConfig, renderHosts, renderPodsService } from "./workerFiles";
import { enterCommand, isWorkerInit } from "./workerNamespaces";
import { type BaseRootfs, lowerDirOption } from "./rootfs";

const READY_MS = 60_000;
const SHUTDOWN_MS = 30_000;

/** boot.sh, the process on the host that boots the worker's container, also after a reboot. */
const supervisor = (lab: Lab, { name }: LabWorker): Omit<Daemon, "command"> => ({
  name,
  pidFile: lab.paths.pidFile(name),
  logFile: lab.paths.logFile(name),
});

export const isWorkerRunning = (lab: Lab, worker: LabWorker): boolean =>
  runningPid(lab.paths.pidFile(worker.name)) !== undefined && leaderPid(worker) !== undefined;

/** The worker's init, by its pid on the host. */
export const leaderPid = (worker: LabWorker): number | undefined =>
  processesOf(worker.network.namespace).find((pid) => isWorkerInit(readText(`/proc/${pid}/status`) ?? ""));

/** Sets a worker up and boots it, unless it runs on the same layers. */
export async function ensureWorker(lab: Lab, worker: LabWorker, base: BaseRootfs): Promise<void> {
  if (isWorkerRunning(lab, worker) && hasLayers(worker, base)) {
    return waitWorkerReady(lab, worker);
  }
  await powerOff(lab, worker);
  await recordLayers(lab, worker, base);
  await ensureWorkerNetwork(lab, worker);
  await mountRootfs(worker, base);
  await writeIdentity(lab, worker);
  await bootWorker(lab, worker);
}

/** Boots a worker that has been set up before. */
export async function bootWorker(lab: Lab, worker: LabWorker): Promise<void> {
  const { name, network, paths } = worker;
  if (!isMounted(paths.rootfs)) {
    throw new LabError(`${name} has no root file system`, `Set it up: ${labCommand(lab.name, "up")}`);
  }
  const groups = await createGroups(network.namespace);
  const command = ["/bin/sh", join(__dirname, "boot.sh"), network.namespace, name, paths.rootfs, ...groups];
  await ensureDaemon({ ...supervisor(lab, worker), command }, () => isReady(worker), READY_MS);
}

/** Whether a worker's services run. While it boots, /run/nologin makes sshd refuse logins. */
async function isReady(worker: LabWorker): Promise<boolean> {
  const services = worker.bare ? "ssh" : "ssh containerd lab-images";
  const test = `systemctl is-active --quiet ${services} && test ! -e /run/nologin`;
  const leader = leaderPid(worker);
  return leader !== undefined && (await insideOf(leader, ["sh", "-c", test])).exitCode === 0;
}

export const waitWorkerReady = (lab: Lab, worker: LabWorker): Promise<void> =>
  waitReady(supervisor(lab, worker), () => isReady(worker), READY_MS);

/** Whether the worker's own layer was written on these shared layers. */
const hasLayers = ({ paths }: LabWorker, base: BaseRootfs): boolean =>
  readText(paths.lowerDir) === lowerDirOption(base);

/** Records the shared layers. Removes a worker whose own layer was written on others, because the combination is broken. */
async function recordLayers(lab: Lab, worker: LabWorker, base: BaseRootfs): Promise<void> {
  if (existsSync(worker.paths.upper) && !hasLayers(worker, base)) {
    await removeWorker(lab, worker);
  }
  await writeFileAtomic(worker.paths.lowerDir, lowerDirOption(base), WORLD_READABLE);
}

/**
 * Mounts an overlay of the shared root file system, and on it a /var on the real file system: containerd cannot make overlays on an
 * overlay, and the kubelet measures the disk of /var/lib/kubelet.
 */
async function mountRootfs(worker: LabWorker, base: BaseRootfs): Promise<void> {
  const { rootfs, upper, work, var: variable } = worker.paths;
  if (isMounted(rootfs) && isMounted(join(rootfs, "var"))) {
    return;
  }
  if (existsSync(rootfs)) {
    await unmountAll(rootfs);
  }
  for (const folder of [rootfs, upper, work]) {
    await mkdir(folder, { recursive: true });
  }
  if (!existsSync(variable)) {
    const staging = `${variable}.new`;
    await rm(staging, { recursive: true, force: true });
    await run("cp", ["-a", base.var, staging]);
    await rename(staging, variable);
  }
  const layers = `lowerdir=${lowerDirOption(base)},upperdir=${upper},workdir=${work}`;
  await run("mount", ["-t", "overlay", "-o", layers, "overlay", rootfs]);
  await run("mount", ["--bind", variable, join(rootfs, "var")]);
}

/** Writes what distinguishes a worker: its name, address, machine-id and host key, and the key of its administrator. */
async function writeIdentity(lab: Lab, worker: LabWorker): Promise<void> {
  const { name, network } = worker;
  const { rootfs, hostKey } = worker.paths;
  const put = (path: string, text: string, mode = WORLD_READABLE): Promise<void> =>
    writeFileAtomic(join(rootfs, path), text, mode);

  await ensureKeyPair(hostKey, `root@${name}`);
  await put("etc/ssh/ssh_host_ed25519_key", await readFile(hostKey, "utf8"), OWNER_ONLY);
  await put("etc/ssh/ssh_host_ed25519_key.pub", await readFile(`${hostKey}.pub`, "utf8"));
  await put("etc/hostname", `${name}\n`);
  await put("etc/hosts", renderHosts({ name, address: network.address, apiServer: lab.network.host }));
  if ((await readFile(join(rootfs, "etc/machine-id"), "utf8")).trim() === "") {
    await put("etc/machine-id", `${randomBytes(16).toString("hex")}\n`, 0o444);
  }
  await put("etc/cni/net.d/10-lab.conflist", renderCniConfig(network.podSubnet));
  const podsService = renderPodsService(
    lab.network.podNetwork,
    worker.bare ? "containerd.service" : "multi-user.target",
  );
  await put("etc/systemd/system/lab-pods.service", podsService);
  await run("chroot", [rootfs, "systemctl", "enable", "lab-pods.service"]);
  if (worker.bare) {
    await put("etc/apt/sources.list", renderAptSources(mirrorUrl(lab)));
  }

  const authorized = `home/${ADMIN}/.ssh/authorized_keys`;
  await put(authorized, await readFile(`${lab.paths.sshKey}.pub`, "utf8"), OWNER_ONLY);
  await run("chroot", [rootfs, "chown", `${ADMIN}:${ADMIN}`, `/${authorized}`]);
}

/** @throws LabError when the worker does not run */
function requireLeader(worker: LabWorker): number {
  const leader = leaderPid(worker);
  if (leader === undefined) {
    throw new LabError(`${worker.name} is not running`, `Start it: npm run lab -- start ${worker.name}`);
  }
  return leader;
}

const insideOf = (leader: number, argv: readonly string[]): Promise<RunResult> =>
  attempt(...enterCommand(leader, argv), { timeout: 30_000 });

export const runInWorker = async (worker: LabWorker, argv: readonly string[]): Promise<RunResult> =>
  insideOf(requireLeader(worker), argv);

/** The command line that runs a command in a worker, on the terminal of this process. */
export function commandInWorker(worker: LabWorker, argv: readonly string[]): [string, string[]] {
  const term = process.env.TERM ? [`TERM=${process.env.TERM}`] : [];
  return enterCommand(requireLeader(worker), ["env", ...term, ...argv]);
}

/** Shuts a worker down. Cuts its power when it does not shut down in time. */
export async function shutDown(lab: Lab, worker: LabWorker): Promise<void> {
  if (isWorkerRunning(lab, worker)) {
    await runInWorker(worker, ["systemctl", "--no-block", "poweroff"]);
    await waitUntil(() => runningPid(lab.paths.pidFile(worker.name)) === undefined, SHUTDOWN_MS);
  }
  await powerOff(lab, worker);
}

/** Cuts a worker's power: kills all its processes. */
export async function powerOff(lab: Lab, worker: LabWorker): Promise<void> {
  await stopDaemon(lab.paths.pidFile(worker.name), 0);
  await destroyGroups(worker.network.namespace);
}

export async function reboot(lab: Lab, worker: LabWorker): Promise<void> {
  const before = requireLeader(worker);
  await runInWorker(worker, ["systemctl", "--no-block", "reboot"]);
  if (!(await waitUntil(() => leaderPid(worker) !== before, SHUTDOWN_MS))) {
    throw new LabError(
      `${worker.name} did not shut down within ${SHUTDOWN_MS / 1000} s`,
      `Cut its power: ${labCommand(lab.name, `restart --kill ${worker.name}`)}`,
    );
  }
  await waitWorkerReady(lab, worker);
}

export async function removeWorker(lab: Lab, worker: LabWorker): Promise<void> {
  await powerOff(lab, worker);
  await removeWorkerNetwork(worker);
  await removeTree(worker.paths.folder);
  await rm(lab.paths.logFile(worker.name), { force: true });
}
