import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LabError } from "../host/labError";
import { type Mount, currentMounts } from "../host/mounts";
import { readText, sendSignal } from "../host/pidFile";
import { attempt } from "../host/run";
import { waitUntil } from "../host/waitUntil";

/**
 * Each worker lives in a control group of its own, which tells its processes from all others whatever they do: in every
 * hierarchy on a machine with version 1, in the only one there is with version 2.
 */
export interface Hierarchies {
  readonly version: 1 | 2;
  readonly roots: readonly string[];
  /** The hierarchy in which every process of a worker is found. */
  readonly processes: string;
}

const ROOT = "/sys/fs/cgroup";

export function hierarchiesOf(all: readonly Mount[]): Hierarchies | undefined {
  if (all.some(({ path, type }) => path === ROOT && type === "cgroup2")) {
    return { version: 2, roots: [ROOT], processes: ROOT };
  }
  const roots = all
    .filter(({ path, type }) => path.startsWith(`${ROOT}/`) && (type === "cgroup" || type === "cgroup2"))
    .map(({ path }) => path);
  const processes = `${ROOT}/systemd`;
  return roots.includes(processes) ? { version: 1, roots, processes } : undefined;
}

export function requireHierarchies(): Hierarchies {
  const found = hierarchiesOf(currentMounts());
  if (!found) {
    throw new LabError(
      `there are no usable control groups below ${ROOT}`,
      "The lab needs cgroup v2, or cgroup v1 with systemd's own hierarchy (/sys/fs/cgroup/systemd).",
    );
  }
  return found;
}

const V2_CONTROLLERS = ["cpuset", "cpu", "io", "memory", "pids"];
const CPUSET_FILES = ["cpuset.cpus", "cpuset.mems"];

/** Makes the worker's groups and returns the files by which a process joins them. */
export async function createGroups(name: string): Promise<string[]> {
  const { version, roots } = requireHierarchies();
  const groups = roots.map((root) => join(root, name));
  for (const group of groups) {
    await mkdir(group, { recursive: true });
    // A new group of this controller is unusable until it says which processors and memory it has.
    for (const file of CPUSET_FILES) {
      const parent = join(group, "..", file);
      if (version === 1 && existsSync(join(group, file)) && existsSync(parent)) {
        await writeFile(join(group, file), await readFile(parent, "utf8"));
      }
    }
  }
  if (version === 2) {
    // Only a group without processes of its own may hand controllers down: the machine gets a group below.
    for (const group of [ROOT, join(ROOT, name)]) {
      for (const controller of V2_CONTROLLERS) {
        await writeFile(join(group, "cgroup.subtree_control"), `+${controller}`).catch(() => undefined);
      }
    }
    await mkdir(join(ROOT, name, "machine"), { recursive: true });
    return [join(ROOT, name, "machine", "cgroup.procs")];
  }
  return groups.map((group) => join(group, "cgroup.procs"));
}

/** The pids in a control group and those below it, which come and go while a worker runs. */
function processesBelow(group: string): number[] {
  const pids = (readText(join(group, "cgroup.procs")) ?? "").split("\n").filter(Boolean).map(Number);
  return [...pids, ...foldersIn(group).flatMap((name) => processesBelow(join(group, name)))];
}

function foldersIn(group: string): string[] {
  try {
    const entries = readdirSync(group, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code!)) {
      return [];
    }
    throw error;
  }
}

/** The pids in a worker's control group. */
export const processesOf = (name: string): number[] => processesBelow(join(requireHierarchies().processes, name));

/** Ends all processes of a worker at once, as a power cut does, and removes its groups. */
export async function destroyGroups(name: string): Promise<void> {
  const areKilled = (): boolean => {
    const pids = processesOf(name);
    pids.forEach((pid) => sendSignal(pid, "SIGKILL"));
    return pids.length === 0;
  };
  if (!(await waitUntil(areKilled, 5000))) {
    throw new LabError(`processes of ${name} do not end: ${processesOf(name).join(", ")}`);
  }
  const groups = requireHierarchies().roots.map((root) => join(root, name));
  const areGone = async (): Promise<boolean> => {
    await attempt("find", [...groups, "-depth", "-type", "d", "-delete"]);
    return !groups.some((group) => existsSync(group));
  };
  // The kernel may still be busy with the last process of a group.
  if (!(await waitUntil(areGone, 2000))) {
    throw new LabError(
      `can't remove the control groups of ${name}: ${groups.filter((group) => existsSync(group)).join(", ")}`,
    );
  }
}

/** The names of all groups of which the name starts so. */
export async function groupsStartingWith(prefix: string): Promise<string[]> {
  const names = await Promise.all(requireHierarchies().roots.map((root) => readdir(root)));
  return [...new Set(names.flat().filter((name) => name.startsWith(prefix)))];
}
