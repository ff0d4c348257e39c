import { ensureComponent, stopComponent } from "../control-plane/controlPlane";
import { COMPONENTS } from "../control-plane/componentFlags";
import { type Lab, type LabOptions, requireLab, requirePart, requireWorker, withLabLock } from "../labState";
import { ensureMirror, MIRROR } from "../mirror/mirror";
import { stopDaemon } from "../host/daemon";
import { ensureBaseRootfs } from "../workers/rootfs";
import { bootWorker, isWorkerRunning, powerOff, reboot, shutDown } from "../workers/labWorker";

export type PowerAction = "start" | "stop" | "restart";

export interface PowerOptions extends LabOptions {
  /** Cut a worker's power instead of shutting it down. */
  readonly kill?: boolean;
}

/** Starts, stops or restarts one part of a lab. Tests cause faults with it. */
export async function changePower(action: PowerAction, name: string, options: PowerOptions): Promise<void> {
  await withLabLock(options.name, async () => {
    const { start, stop, reboot } = partOf(await requireLab(options.name), name, options);
    if (action === "restart" && reboot) {
      return reboot();
    }
    if (action !== "start") {
      await stop();
    }
    if (action !== "stop") {
      await start();
    }
  });
}

interface Part {
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Restarts a part that can do that by itself. */
  readonly reboot?: () => Promise<void>;
}

function partOf(lab: Lab, name: string, { kill }: PowerOptions): Part {
  requirePart(lab, name);
  const component = COMPONENTS.find((candidate) => candidate === name);
  if (component) {
    return { start: () => ensureComponent(lab, component), stop: () => stopComponent(lab, component) };
  }
  if (name === MIRROR) {
    return {
      start: async () => ensureMirror(lab, await ensureBaseRootfs(() => undefined)),
      stop: () => stopDaemon(lab.paths.pidFile(MIRROR)),
    };
  }
  const worker = requireWorker(lab, name);
  return {
    start: () => bootWorker(lab, worker),
    stop: () => (kill ? powerOff(lab, worker) : shutDown(lab, worker)),
    ...(!kill && isWorkerRunning(lab, worker) && { reboot: () => reboot(lab, worker) }),
  };
}
