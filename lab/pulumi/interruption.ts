import { readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { namesIn } from "../host/files";
import { waitUntil } from "../host/waitUntil";
import type { Workspace } from "./workspace";

/**
 * What a command that was killed leaves behind: a lock on the stack, and operations of which the state does not know whether
 * they were done.
 */

/** Waits for commands that hold the stack, and takes away the locks of those that were killed. */
export async function awaitLocks(workspace: Workspace): Promise<void> {
  let holders = await lockHolders(workspace.locksFolder);
  if (holders.some(isCli)) {
    console.error(`Another command is at work on the stack "${workspace.stack.name}"; waiting for it.`);
    await waitUntil(async () => !(holders = await lockHolders(workspace.locksFolder)).some(isCli), Infinity);
  }
  if (holders.length > 0) {
    await workspace.capture(["cancel", "--yes"]);
  }
}

async function lockHolders(folder: string): Promise<string[]> {
  const executables = (await namesIn(folder)).map(async (name) => {
    const text = await readFile(join(folder, name), "utf8").catch(() => undefined); // gone by now
    const pid = /"pid":(\d+)/.exec(text ?? "")?.[1]; // a process that was killed may have written half of it
    return text === undefined ? [] : [await readlink(`/proc/${pid}/exe`).catch(() => "")];
  });
  return (await Promise.all(executables)).flat();
}

/** Whether the process that wrote a lock is still there, and is not another one with its number. */
const isCli = (executable: string): boolean => /\/pulumi$/.test(executable);

/** Whether the state has creates of which it is not known whether they were done. */
export async function hasPendingCreates(workspace: Workspace): Promise<boolean> {
  const state = JSON.parse(await readFile(workspace.stateFile, "utf8")) as State;
  return state.checkpoint?.latest?.pending_operations?.some(({ type }) => type === "creating") ?? false;
}

interface State {
  readonly checkpoint?: { readonly latest?: { readonly pending_operations?: readonly { readonly type: string }[] } };
}

/** Forgets the pending creates. An update that has succeeded has done all of them again. */
export async function clearPendingCreates(workspace: Workspace): Promise<void> {
  // The target is a URN of no resource, since nothing is to be read.
  const flags = ["--clear-pending-creates", "--yes", "--skip-preview", "--target", "urn:pulumi:**::nothing"];
  await workspace.capture(["refresh", "--config-file", workspace.stack.configFile, ...flags]);
}
