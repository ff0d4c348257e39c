import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { WORLD_READABLE, writeFileAtomic } from "./files";
import { attempt, run } from "./run";

const INOTIFY = "fs.inotify.max_user_instances";
/** A worker's systemd, containerd and kubelet use some dozens. Eight workers exhaust the kernel's default of 128. */
const INOTIFY_INSTANCES = 8192;

/** Kernel settings of the machine that a lab or its kubelets change. The last lab restores the values from before the first. */
const CHANGED_SETTINGS = [
  INOTIFY,
  "kernel.keys.root_maxbytes",
  "kernel.keys.root_maxkeys",
  "kernel.panic",
  "kernel.panic_on_oops",
  "vm.overcommit_memory",
  "vm.panic_on_oom",
];

/** The values from before the first lab. A reboot removes this file and resets the settings. */
const SAVED_SETTINGS = "/run/tls-bootstrap-lab-kernel.conf";

/** Saves the kernel settings and raises the limits that workers exceed. */
export async function prepareKernel(): Promise<void> {
  if (!existsSync(SAVED_SETTINGS)) {
    // --ignore: some kernels lack some of the settings.
    const { stdout } = await attempt("sysctl", ["--ignore", ...CHANGED_SETTINGS]);
    await writeFileAtomic(SAVED_SETTINGS, `${stdout}\n`, WORLD_READABLE);
  }
  if (Number(await run("sysctl", ["--values", INOTIFY])) < INOTIFY_INSTANCES) {
    await run("sysctl", ["--write", `${INOTIFY}=${INOTIFY_INSTANCES}`]);
  }
}

export async function restoreKernel(): Promise<void> {
  if (existsSync(SAVED_SETTINGS)) {
    await attempt("sysctl", ["--ignore", `--load=${SAVED_SETTINGS}`]);
    await rm(SAVED_SETTINGS);
  }
}
