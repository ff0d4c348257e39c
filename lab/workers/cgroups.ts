import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LabError } from "../host/labError";
import { type Mount, currentMounts } from "../host/mounts";
import { readText, sendSignal } from "../host/pidFile";
import { attempt } from "../host/run";
import { waitUntil } from "../host/waitUntil";

/** The control group hierarchies of the machine: one with cgroup v2, several with v1. A worker has a group in each. */
export interface Hierarchies {
  readonly version: 1 | 2;
  readonly roots: readonly string[];
  /** The hierarchy in which the lab finds the processes of a worker. */
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
      `this machine has no usable control groups in ${ROOT}`,
      "Mount cgroup v2, or cgroup v1 with systemd's hierarchy (/sys/fs/cgroup/systemd).",
    );
  }
  return found;
}

const V2_CONTROLLERS = ["cpuset", "cpu", "io", "memory", "pids"];
const CPUSET_FILES = ["cpuset.cpus", "cpuset.mems"];

/** Makes a worker's groups. Returns the files to which a process writes its pid to join them. */
export async function createGroups(name: string): Promise<string[]> {
  const { version, roots } = requireHierarchies();
  const groups = roots.map((root) => join(root, name));
  for (const group of groups) {
    await mkdir(group, { recursive: true });
    // With cgroup v1, a new cpuset group accepts no process until its processors and memory are set.
    for (const file of CPUSET_FILES) {
      const parent = join(group, "..", file);
      if (version === 1 && existsSync(join(group, file)) && existsSync(parent)) {
        await writeFile(join(group, file), await readFile(parent, "utf8"));
      }
    }
  }
  if (version === 2) {
    // With cgroup v2, a group with processes cannot enable controllers for its children. So the processes go into a child.
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

function processesBelow(group: string): number[] {
  const pids = (readText(join(group, "cgroup.procs")) ?? "").split("\n").filter(Boolean).map(Number);
  return [...pids, ...foldersIn(group).flatMap((name) => processesBelow(join(group, name)))];
}

function foldersIn(group: string): string[] {
  try {
    const entries = readdirSync(group, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    // A group may end while the lab reads it.
    if (["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code!)) {
      return [];
    }
    throw error;
  }
}

export const processesOf = (name: string): number[] => processesBelow(join(requireHierarchies().processes, name));

/** Kills all processes of a worker, as a power cut does, and removes its groups. */
export async function destroyGroups(name: string): Promise<void> {
  const areKilled = (): boolean => {
    const pids = processesOf(name);
    pids.forEach((pid) => sendSignal(pid, "SIGKILL"));
    return pids.length === 0;
  };
  if (!(await waitUntil(areKilled, 5000))) {
    const pids = processesOf(name).join(",");
    throw new LabError(
      `processes ${pids} of ${name} do not end`,
      `See what they wait for: ps -o pid,stat,wchan,args -p ${pids}`,
    );
  }
  const groups = requireHierarchies().roots.map((root) => join(root, name));
  const areGone = async (): Promise<boolean> => {
    await attempt("find", [...groups, "-depth", "-type", "d", "-delete"]);
    return !groups.some((group) => existsSync(group));
  };
  // The kernel frees a group a moment after its last process has ended.
  if (!(await waitUntil(areGone, 2000))) {
    throw new LabError(
      `cannot remove the control groups ${groups.filter((group) => existsSync(group)).join(", ")}`,
      "Run the same command again.",
    );
  }
}

export async function groupsStartingWith(prefix: string): Promise<string[]> {
  const names = await Promise.all(requireHierarchies().roots.map((root) => readdir(root)));
  return [...new Set(names.flat().filter((name) => name.startsWith(prefix)))];
}
