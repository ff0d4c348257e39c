import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Lab, LabWorker } from "../lab";
import { mirrorUrl } from "../mirror";
import { ensureWorkerNetwork, removeWorkerNetwork } from "../network/network";
import { type Daemon, startDaemon, stopDaemon, waitReady } from "../system/daemon";
import { LabError } from "../system/errors";
import { PUBLIC, writeFileAtomic } from "../system/files";
import { isMounted, removeTree, unmountAll } from "../system/mounts";
import { runningPid } from "../system/pidFile";
import { attempt, run, type RunResult } from "../system/run";
import { ensureKeyPair } from "../system/ssh";
import { createGroups, killProcesses, processesOf, removeGroups } from "./cgroups";
import { ADMIN, renderAptSources, renderCniConfig, renderHosts, renderPodsService } from "./files";
import { enterCommand, isInit } from "./inside";
import { type BaseRootfs, enableService, lowerDir } from "./rootfs";

const READY_MS = 60_000;
const SHUTDOWN_MS = 30_000;

/** The worker's process that watches over the container and boots it again after a reboot. */
const supervisor = (lab: Lab, worker: LabWorker): Pick<Daemon, "name" | "pidFile" | "logFile"> => ({
  name: worker.name,
  pidFile: lab.paths.pidFile(worker.name),
  logFile: lab.paths.logFile(worker.name),
});

export const isWorkerRunning = (lab: Lab, worker: LabWorker): boolean =>
  runningPid(lab.paths.pidFile(worker.name)) !== undefined && leaderPid(worker) !== undefined;

/** The worker's init, as a process of this machine. */
export function leaderPid(worker: LabWorker): number | undefined {
  return processesOf(worker.network.namespace).find((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      return isInit(status);
    } catch {
      return false;
    }
  });
}

/** Makes what is the worker's alone, mounts its root file system and boots it. Nothing is done twice. */
export async function ensureWorker(lab: Lab, worker: LabWorker, base: BaseRootfs): Promise<void> {
  if (isWorkerRunning(lab, worker) && (await isOver(worker, base))) {
    return waitWorkerReady(lab, worker);
  }
  await powerOff(lab, worker);
  await forgetOtherBase(lab, worker, base);
  await ensureWorkerNetwork(lab, worker);
  await mountRootfs(worker, base);
  await personalise(lab, worker);
  await boot(lab, worker);
}

/** Boots a worker that has been set up before. */
export async function bootWorker(lab: Lab, worker: LabWorker): Promise<void> {
  if (!isMounted(worker.paths.rootfs)) {
    throw new LabError(`${worker.name} is not set up`, "Set it up with: npm run lab -- up");
  }
  await boot(lab, worker);
}

async function boot(lab: Lab, worker: LabWorker): Promise<void> {
  const { namespace } = worker.network;
  const groups = await createGroups(namespace);
  const command = [join(__dirname, "boot.sh"), namespace, worker.name, worker.paths.rootfs, ...groups];
  await startDaemon({ ...supervisor(lab, worker), command });
  await waitWorkerReady(lab, worker);
}

/** What tells that a worker has come up: its services, and that it does not refuse log-ins because it is still booting. */
const readyTest = ({ bare }: LabWorker): string =>
  `systemctl is-active --quiet ${bare ? "ssh" : "ssh containerd lab-images"} && test ! -e /run/nologin`;

export async function waitWorkerReady(lab: Lab, worker: LabWorker): Promise<void> {
  const ready = async (): Promise<boolean> => {
    const leader = leaderPid(worker); // of a machine that is just starting it can be another at the next look
    return leader !== undefined && (await insideOf(leader, ["sh", "-c", readyTest(worker)])).exitCode === 0;
  };
  await waitReady(supervisor(lab, worker), ready, READY_MS);
}

const isOver = async ({ paths }: LabWorker, base: BaseRootfs): Promise<boolean> =>
  (await readFile(paths.lowerDir, "utf8").catch(() => "")) === lowerDir(base);

/** An overlay's upper layer fits the lower one over which it was written; over another one it is a broken machine. */
async function forgetOtherBase(lab: Lab, worker: LabWorker, base: BaseRootfs): Promise<void> {
  const { lowerDir: record, folder, upper } = worker.paths;
  if (existsSync(upper) && !(await isOver(worker, base))) {
    await removeWorker(lab, worker);
  }
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(record, lowerDir(base), PUBLIC);
}

/**
 * An overlay of the shared root file system, with a /var of its own on the real file system: containerd's overlays can't
 * lie on an overlay, and the kubelet looks at the disk below /var/lib/kubelet.
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
  const layers = `lowerdir=${lowerDir(base)},upperdir=${upper},workdir=${work}`;
  await run("mount", ["-t", "overlay", "-o", layers, "overlay", rootfs]);
  await run("mount", ["--bind", variable, join(rootfs, "var")]);
}

/** Gives a worker its identity: name, address, machine-id, host key, and who may log in. */
async function personalise(lab: Lab, worker: LabWorker): Promise<void> {
  const { rootfs, hostKey } = worker.paths;
  const { name, network } = worker;
  const put = async (path: string, text: string, mode = 0o644): Promise<void> => {
    const file = join(rootfs, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { mode });
    await chmod(file, mode);
  };

  await ensureKeyPair(hostKey, `root@${name}`);
  await put("etc/ssh/ssh_host_ed25519_key", await readFile(hostKey, "utf8"), 0o600);
  await put("etc/ssh/ssh_host_ed25519_key.pub", await readFile(`${hostKey}.pub`, "utf8"));
  await put("etc/hostname", `${name}\n`);
  await put("etc/hosts", renderHosts({ name, address: network.address, apiServer: lab.network.host }));
  if (readFileSync(join(rootfs, "etc/machine-id"), "utf8").trim() === "") {
    await put("etc/machine-id", `${randomBytes(16).toString("hex")}\n`, 0o444);
  }
  await put("etc/cni/net.d/10-lab.conflist", renderCniConfig(network.podSubnet));
  await put("etc/systemd/system/lab-pods.service", renderPodsService(lab.network.podNetwork));
  await enableService(rootfs, "lab-pods.service", worker.bare ? "containerd.service" : "multi-user.target");
  if (worker.bare) {
    await put("etc/apt/sources.list", renderAptSources(mirrorUrl(lab)));
  }

  const authorized = `home/${ADMIN}/.ssh/authorized_keys`;
  await put(authorized, await readFile(`${lab.paths.sshKey}.pub`, "utf8"), 0o600);
  await run("chroot", [rootfs, "chown", `${ADMIN}:${ADMIN}`, `/${authorized}`]);
}

function requireLeader(worker: LabWorker): number {
  const leader = leaderPid(worker);
  if (leader === undefined) {
    throw new LabError(`${worker.name} is not running`, `Start it with: npm run lab -- start ${worker.name}`);
  }
  return leader;
}

const insideOf = (leader: number, argv: readonly string[]): Promise<RunResult> =>
  attempt(...enterCommand(leader, argv), { timeout: 30_000 });

export async function inWorker(worker: LabWorker, argv: readonly string[]): Promise<RunResult> {
  return insideOf(requireLeader(worker), argv);
}

/** The command line that runs a command inside a worker, on the terminal of this process. */
export function commandInWorker(worker: LabWorker, argv: readonly string[]): [string, string[]] {
  const term = process.env.TERM ? [`TERM=${process.env.TERM}`] : [];
  return enterCommand(requireLeader(worker), ["env", ...term, ...argv]);
}

/** Shuts a worker down in good order. */
export async function shutDown(lab: Lab, worker: LabWorker): Promise<void> {
  if (isWorkerRunning(lab, worker)) {
    await inWorker(worker, ["systemctl", "--no-block", "poweroff"]);
    const { pidFile } = supervisor(lab, worker);
    for (let waited = 0; waited < SHUTDOWN_MS && runningPid(pidFile) !== undefined; waited += 100) {
      await sleep(100);
    }
  }
  await powerOff(lab, worker);
}

/** Ends a worker as a power cut does. */
export async function powerOff(lab: Lab, worker: LabWorker): Promise<void> {
  await stopDaemon(supervisor(lab, worker).pidFile, 0);
  await killProcesses(worker.network.namespace);
  await removeGroups(worker.network.namespace);
}

/** Reboots a worker as its administrator would, and waits until it is back. */
export async function reboot(lab: Lab, worker: LabWorker): Promise<void> {
  const before = requireLeader(worker);
  await inWorker(worker, ["systemctl", "--no-block", "reboot"]);
  const deadline = Date.now() + SHUTDOWN_MS;
  while (leaderPid(worker) === before) {
    if (Date.now() > deadline) {
      throw new LabError(`${worker.name} did not shut down within ${SHUTDOWN_MS / 1000} s`);
    }
    await sleep(50);
  }
  await waitWorkerReady(lab, worker);
}

/** Removes a worker with all that it holds. */
export async function removeWorker(lab: Lab, worker: LabWorker): Promise<void> {
  await powerOff(lab, worker);
  await removeWorkerNetwork(worker);
  await removeTree(worker.paths.folder);
  await rm(lab.paths.logFile(worker.name), { force: true });
}
