import { readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { namesIn } from "../host/files";
import { waitUntil } from "../host/waitUntil";
import type { Workspace } from "./workspace";

/** Cleans up after a killed command, which leaves a lock on the stack and pending creates in the state. */

/** Waits for running commands that hold the stack's lock, and removes the locks of killed commands. */
export async function awaitLocks(workspace: Workspace): Promise<void> {
  let holders = await lockHolders(workspace.locksFolder);
  if (holders.some(isCli)) {
    console.error(`Another command changes the stack "${workspace.stack.name}". Waiting for its end.`);
    await waitUntil(async () => !(holders = await lockHolders(workspace.locksFolder)).some(isCli), Infinity);
  }
  if (holders.length > 0) {
    await workspace.capture(["cancel", "--yes"]);
  }
}

/** The executable of each process that wrote a lock. An empty text when the process has ended. */
async function lockHolders(folder: string): Promise<string[]> {
  const executables = (await namesIn(folder)).map(async (name) => {
    const text = await readFile(join(folder, name), "utf8").catch(() => undefined); // The lock may have ended just now.
    const pid = /"pid":(\d+)/.exec(text ?? "")?.[1]; // A killed process may have written only half of the JSON.
    return text === undefined ? [] : [await readlink(`/proc/${pid}/exe`).catch(() => "")];
  });
  return (await Promise.all(executables)).flat();
}

/** Whether an executable is the Pulumi CLI. Another program means that the kernel has reused the pid. */
const isCli = (executable: string): boolean => /\/pulumi$/.test(executable);

/** Whether the state has pending creates: a killed command began them, and may have completed them. */
export async function hasPendingCreates(workspace: Workspace): Promise<boolean> {
  const state = JSON.parse(await readFile(workspace.stateFile, "utf8")) as State;
  return state.checkpoint?.latest?.pending_operations?.some(({ type }) => type === "creating") ?? false;
}

interface State {
  readonly checkpoint?: { readonly latest?: { readonly pending_operations?: readonly { readonly type: string }[] } };
}

/** Removes the pending creates from the state. Call it after a successful update, which has repeated all of them. */
export async function clearPendingCreates(workspace: Workspace): Promise<void> {
  // The target matches no resource, so the refresh reads nothing.
  const flags = ["--clear-pending-creates", "--yes", "--skip-preview", "--target", "urn:pulumi:**::nothing"];
  await workspace.capture(["refresh", "--config-file", workspace.stack.configFile, ...flags]);
}
