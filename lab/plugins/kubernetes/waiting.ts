import { setTimeout as pause } from "node:timers/promises";
import { PluginError } from "../pluginError";
import { InitializationError, type Created, type ProviderHost } from "../provider";
import type { Props } from "../propertyValues";
import type { KubeClient } from "./kubeClient";
import { checkpoint, idOf, toObject, type KubeObject } from "./kubeObject";
import { notReadyReason, waitLimitSeconds } from "./ready";

const POLL_MS = 500;

/** The inputs of a resource, and the field manager under which the plugin applies them. */
export interface Desired {
  urn: string;
  inputs: Props;
  fieldManager: string;
}

/**
 * Waits until an object is ready.
 * @param timeout limit in seconds from `customTimeouts`; 0: none
 * @throws InitializationError with the object's last state when it is not ready in time or the user cancels
 */
export async function awaitReady(
  client: KubeClient,
  host: ProviderHost,
  object: KubeObject,
  { urn, inputs, fieldManager }: Desired,
  timeout: number,
): Promise<Created> {
  let live = object;
  const result = () => ({ id: idOf(live), properties: checkpoint(inputs, live, fieldManager) });
  const deadline = Date.now() + waitLimitSeconds(toObject(inputs), timeout) * 1000;
  for (let reason = notReadyReason(live); reason !== undefined; reason = notReadyReason(live)) {
    const fail = (why: string): never => {
      const message = `resource ${JSON.stringify(urn)} was successfully created, but ${why}: ${reason}`;
      throw new InitializationError(message, result());
    };
    if (Date.now() > deadline) fail("did not become ready in time");
    host.status(urn, reason);
    await pause(POLL_MS, undefined, { signal: host.signal }).catch(() => fail("the operation was cancelled"));
    live = await client.get(live);
  }
  return result();
}

/**
 * Waits until an object is gone, or another object has its name.
 * @throws ApiError with the code 404 once the object is gone
 */
export async function awaitGone(
  client: KubeClient,
  { signal }: ProviderHost,
  target: KubeObject,
  uid: string | undefined,
  seconds: number,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (let wait = 50; ; wait = Math.min(wait * 2, POLL_MS)) {
    const current = await client.get(target);
    if (current.metadata?.uid !== uid) return;
    if (Date.now() > deadline) throw new PluginError(`it is still there after ${seconds} s`);
    await pause(wait, undefined, { signal });
  }
}
