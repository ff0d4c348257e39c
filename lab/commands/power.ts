import { ensureComponent, stopComponent } from "../control-plane/controlPlane";
import { COMPONENTS, type ControlPlaneComponent } from "../control-plane/flags";
import { requireBinary } from "../kubernetes/binaries";
import { type Lab, labLock, requireLab, requireWorker } from "../lab";
import { ensureMirror, MIRROR } from "../mirror";
import { workerNumber } from "../network/addresses";
import { stopDaemon } from "../system/daemon";
import { LabError } from "../system/errors";
import { withLock } from "../system/lock";
import { ensureEtcd } from "../system/packages";
import { ensureBaseRootfs } from "../worker/rootfs";
import { bootWorker, isWorkerRunning, powerOff, reboot, shutDown, waitWorkerReady } from "../worker/worker";

export type PowerAction = "start" | "stop" | "restart";

export interface PowerOptions {
  /** Switch a worker off instead of shutting it down. */
  readonly kill?: boolean;
}

const isComponent = (name: string): name is ControlPlaneComponent => COMPONENTS.some((component) => component === name);

/** Starts, stops or restarts one part of a lab: what happens to machines and control planes, for tests of faults. */
export async function power(
  name: string,
  action: PowerAction,
  target: string,
  options: PowerOptions = {},
): Promise<void> {
  await withLock(
    labLock(name),
    () => undefined,
    async () => {
      const lab = await requireLab(name);
      if (workerNumber(target) !== undefined) {
        await powerWorker(lab, action, target, options);
      } else if (isComponent(target)) {
        await powerComponent(lab, action, target);
      } else if (target === MIRROR) {
        await powerMirror(lab, action);
      } else {
        throw new LabError(
          `the lab has no part "${target}"`,
          `It has ${[...COMPONENTS, MIRROR, ...lab.workers.map((worker) => worker.name)].join(", ")}.`,
        );
      }
    },
  );
}

async function powerWorker(lab: Lab, action: PowerAction, target: string, { kill }: PowerOptions): Promise<void> {
  const worker = requireWorker(lab, target);
  const off = (): Promise<void> => (kill ? powerOff(lab, worker) : shutDown(lab, worker));
  const running = isWorkerRunning(lab, worker);
  switch (action) {
    case "start":
      return running ? waitWorkerReady(lab, worker) : bootWorker(lab, worker);
    case "stop":
      return off();
    case "restart":
      if (running && !kill) {
        return reboot(lab, worker);
      }
      await off();
      return bootWorker(lab, worker);
    default:
      return action satisfies never;
  }
}

async function powerComponent(lab: Lab, action: PowerAction, component: ControlPlaneComponent): Promise<void> {
  if (action !== "start") {
    await stopComponent(lab, component);
  }
  if (action !== "stop") {
    const program =
      component === "etcd"
        ? await ensureEtcd(() => undefined)
        : await requireBinary(component, lab.settings.kubernetesVersion);
    await ensureComponent(lab, component, program);
  }
}

async function powerMirror(lab: Lab, action: PowerAction): Promise<void> {
  if (action !== "start") {
    await stopDaemon(lab.paths.pidFile(MIRROR));
  }
  if (action !== "stop") {
    await ensureMirror(lab, await ensureBaseRootfs(() => undefined));
  }
}
