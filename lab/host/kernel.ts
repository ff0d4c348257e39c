import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { WORLD_READABLE, writeFileAtomic } from "./files";
import { attempt, run } from "./run";

const INOTIFY = "fs.inotify.max_user_instances";
/** Each systemd, containerd and kubelet uses some dozens; the kernel's default of 128 is used up by eight workers. */
const INOTIFY_INSTANCES = 8192;

/**
 * Settings of the whole machine that a lab changes: some itself, some through its kubelets, which set them as on any
 * machine. Their values of before the first lab are kept until the last lab goes.
 */
const SETTINGS = [
  INOTIFY,
  "kernel.keys.root_maxbytes",
  "kernel.keys.root_maxkeys",
  "kernel.panic",
  "kernel.panic_on_oops",
  "vm.overcommit_memory",
  "vm.panic_on_oom",
];

/** Cleared by a reboot, as the settings themselves are. */
const KEPT = "/run/tls-bootstrap-lab-kernel.conf";

export async function prepareKernel(): Promise<void> {
  if (!existsSync(KEPT)) {
    // Some kernels lack some of them.
    await writeFileAtomic(KEPT, `${(await attempt("sysctl", ["--ignore", ...SETTINGS])).stdout}\n`, WORLD_READABLE);
  }
  if (Number(await run("sysctl", ["--values", INOTIFY])) < INOTIFY_INSTANCES) {
    await run("sysctl", ["--write", `${INOTIFY}=${INOTIFY_INSTANCES}`]);
  }
}

/** Puts back what was before the first lab. */
export async function restoreKernel(): Promise<void> {
  if (existsSync(KEPT)) {
    await attempt("sysctl", ["--ignore", `--load=${KEPT}`]);
    await rm(KEPT);
  }
}
