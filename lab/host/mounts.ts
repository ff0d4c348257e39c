import { existsSync, readFileSync, realpathSync } from "node:fs";
import { run } from "./run";

/** /proc/self/mountinfo writes spaces, tabs, newlines and backslashes as octal numbers. */
const decodePath = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

export interface Mount {
  readonly path: string;
  readonly type: string;
  /** Options of the file system, such as the layers of an overlay. */
  readonly options: string;
}

/** Parses /proc/self/mountinfo. The mounts are in the order in which they were made. */
export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo
    .split("\n")
    .filter((line) => line.includes(" - "))
    .map((line) => {
      const [left, right] = line.split(" - ");
      const [type, , options] = right.split(" ");
      return { path: decodePath(left.split(" ")[4]), type, options: decodePath(options ?? "") };
    });
}

export const currentMounts = (): Mount[] => parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));

export const isMounted = (path: string): boolean =>
  existsSync(path) && currentMounts().some((mount) => mount.path === realpathSync(path));

/** Unmounts a folder and everything that is mounted below it. */
export async function unmountAll(folder: string): Promise<void> {
  const top = realpathSync(folder);
  const below = currentMounts().filter(({ path }) => path === top || path.startsWith(`${top}/`));
  for (const { path } of below.reverse()) {
    // --lazy: a process with an open file must not prevent the unmount.
    await run("umount", ["--lazy", path]);
  }
}

/** Unmounts what is mounted in a folder, and removes the folder. Mounted files survive. */
export async function removeTree(folder: string): Promise<void> {
  if (existsSync(folder)) {
    await unmountAll(folder);
    await run("rm", ["-rf", "--one-file-system", folder]);
  }
}
