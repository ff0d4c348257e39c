import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { writeFileAtomic } from "./files";

/**
 * Settings of the whole machine that a lab changes: some itself, some through its kubelets, which set them as on any
 * machine. Their values of before the first lab are kept until the last lab goes.
 */
const SETTINGS = [
  "fs.inotify.max_user_instances",
  "kernel.keys.root_maxbytes",
  "kernel.keys.root_maxkeys",
  "kernel.panic",
  "kernel.panic_on_oops",
  "vm.overcommit_memory",
  "vm.panic_on_oom",
];

/** Cleared by a reboot, as the settings themselves are. */
const KEPT = "/run/tls-bootstrap-lab/kernel-settings.json";

/** Each systemd, containerd and kubelet uses some dozens; the kernel's default of 128 is used up by eight workers. */
const INOTIFY_INSTANCES = 8192;

const fileOf = (setting: string): string => `/proc/sys/${setting.replaceAll(".", "/")}`;

const read = async (setting: string): Promise<string> => (await readFile(fileOf(setting), "utf8")).trim();

export async function prepareKernel(): Promise<void> {
  if (!existsSync(KEPT)) {
    const values = await Promise.all(
      SETTINGS.filter((setting) => existsSync(fileOf(setting))).map(async (name) => [name, await read(name)] as const),
    );
    await mkdir(dirname(KEPT), { recursive: true });
    await writeFileAtomic(KEPT, `${JSON.stringify(Object.fromEntries(values), null, 2)}\n`, 0o644);
  }
  if (Number(await read("fs.inotify.max_user_instances")) < INOTIFY_INSTANCES) {
    await writeFile(fileOf("fs.inotify.max_user_instances"), `${INOTIFY_INSTANCES}\n`);
  }
}

/** Puts back what was before the first lab. */
export async function restoreKernel(): Promise<void> {
  if (!existsSync(KEPT)) {
    return;
  }
  const values = JSON.parse(await readFile(KEPT, "utf8")) as Record<string, string>;
  for (const setting of SETTINGS.filter((name) => name in values)) {
    await writeFile(fileOf(setting), `${values[setting]}\n`).catch(() => undefined);
  }
  await rm(dirname(KEPT), { recursive: true, force: true });
}
