import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 50;

/** Polls a condition. Returns true once it holds, and false when it does not hold in time. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      return false;
    }
    await sleep(POLL_MS);
  }
  return true;
}
