import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { COMPONENTS } from "./control-plane/componentFlags";
import { MIRROR } from "./mirror/mirror";
import {
  controllerName,
  controllerNetworkOf,
  controllerNumber,
  networkOf,
  type Network,
  workerName,
  workerNetworkOf,
  type WorkerNetwork,
  workerNumber,
} from "./network/addresses";
import { labPaths, labsFolder, type LabPaths, workerPaths, type WorkerPaths } from "./labPaths";
import type { PluginKind } from "./pulumi/plugins";
import { LabError } from "./host/labError";
import { namesIn, WORLD_READABLE, writeFileAtomic } from "./host/files";
import { withLock } from "./host/lock";

export const DEFAULT_LAB = "default";

/** The content of lab.json, which keeps a lab's settings between commands. */
const settingsSchema = z.object({
  name: z.string(),
  number: z.number().int(),
  kubernetesVersion: z.string(),
  workers: z.number().int(),
  /** How many of the workers, counted from the last, have no container runtime. */
  bare: z.number().int().default(0),
  /** Machines for a control plane of the user's own. */
  controllers: z.number().int().default(0),
  /** Flags that differ from the lab's own, by control plane component. */
  flags: z.partialRecord(z.enum(COMPONENTS), z.array(z.string())),
});
export type LabSettings = z.infer<typeof settingsSchema>;

export interface LabOptions {
  readonly name: string;
  readonly plugins?: PluginKind;
  /** Print the result as JSON. */
  readonly json?: boolean;
}

/** A machine of a lab: a worker, or a controller, which is bare. */
export interface LabWorker {
  readonly name: string;
  /** Whether the machine has Debian, sshd and an administrator, but no container runtime. */
  readonly bare: boolean;
  readonly network: WorkerNetwork;
  readonly paths: WorkerPaths;
}

export interface Lab {
  readonly name: string;
  readonly settings: LabSettings;
  readonly network: Network;
  readonly paths: LabPaths;
  readonly workers: readonly LabWorker[];
  readonly controllers: readonly LabWorker[];
  /** Workers and controllers. */
  readonly machines: readonly LabWorker[];
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

export function checkLabName(name: string): string {
  if (!NAME.test(name)) {
    throw new LabError(
      `"${name}" is not a valid lab name`,
      "Use 1 to 32 characters from a-z, 0-9 and -. Begin and end with a letter or digit.",
    );
  }
  return name;
}

export const labFolder = (name: string): string => join(labsFolder(), checkLabName(name));

/** Holds the lock of a lab, so that one command at a time changes it. `down` removes the lab's folder, so the lock is elsewhere. */
export async function withLabLock<T>(name: string, action: () => Promise<T>): Promise<T> {
  const file = `/run/lock/tls-bootstrap-lab-${hash("sha256", labFolder(name)).slice(0, 16)}.lock`;
  const waiting = (): void => console.error(`Another command changes the lab "${name}". Waiting for its end.`);
  return withLock(file, action, waiting);
}

export function labOf(settings: LabSettings, folder: string): Lab {
  const paths = labPaths(folder);
  const numbersTo = (length: number): number[] => Array.from({ length }, (_, index) => index + 1);
  const workers = numbersTo(settings.workers).map((number) => workerOf({ settings, paths }, number));
  const controllers = numbersTo(settings.controllers).map((number) => controllerOf({ settings, paths }, number));
  return {
    name: settings.name,
    settings,
    network: networkOf(settings.number),
    paths,
    workers,
    controllers,
    machines: [...workers, ...controllers],
  };
}

function workerOf({ settings, paths }: Pick<Lab, "settings" | "paths">, number: number): LabWorker {
  const name = workerName(number);
  return {
    name,
    bare: number > settings.workers - settings.bare,
    network: workerNetworkOf(settings.number, number),
    paths: workerPaths(paths, name),
  };
}

function controllerOf({ settings, paths }: Pick<Lab, "settings" | "paths">, number: number): LabWorker {
  const name = controllerName(number);
  return {
    name,
    bare: true,
    network: controllerNetworkOf(settings.number, number),
    paths: workerPaths(paths, name),
  };
}

/** The machines that have a folder, but are not among the lab's machines any more. */
export async function superfluousMachines(lab: Lab): Promise<LabWorker[]> {
  const names = (await namesIn(lab.paths.workers)).filter((name) => !lab.machines.some((known) => known.name === name));
  return names.flatMap((name) => {
    const [worker, controller] = [workerNumber(name), controllerNumber(name)];
    return [
      ...(worker === undefined ? [] : [workerOf(lab, worker)]),
      ...(controller === undefined ? [] : [controllerOf(lab, controller)]),
    ];
  });
}

export async function findLab(name: string): Promise<Lab | undefined> {
  const folder = labFolder(name);
  const { settings: file } = labPaths(folder);
  if (!existsSync(file)) {
    return undefined;
  }
  try {
    return labOf(settingsSchema.parse(JSON.parse(await readFile(file, "utf8"))), folder);
  } catch {
    throw new LabError(`${file} is damaged`, `Remove the lab and start it again: ${labCommand(name, "down")}`);
  }
}

export async function requireLab(name: string): Promise<Lab> {
  const lab = await findLab(name);
  if (!lab) {
    throw new LabError(`there is no lab "${name}"`, `Start it: ${labCommand(name, "up")}`);
  }
  return lab;
}

/** @throws LabError unless the name is that of a control plane component, the mirror or a worker */
export function requirePart(lab: Lab, name: string): void {
  const parts = [...COMPONENTS, MIRROR, ...lab.machines.map((machine) => machine.name)];
  if (!parts.includes(name)) {
    throw new LabError(`the lab "${lab.name}" has no part "${name}"`, `Use one of ${parts.join(", ")}.`);
  }
}

export async function saveLab(lab: Lab): Promise<void> {
  await writeFileAtomic(lab.paths.settings, `${JSON.stringify(lab.settings, null, 2)}\n`, WORLD_READABLE);
}

export function requireWorker(lab: Lab, name: string): LabWorker {
  const worker = lab.machines.find((candidate) => candidate.name === name);
  if (!worker) {
    const names = lab.machines.map((candidate) => candidate.name).join(", ");
    throw new LabError(
      `the lab "${lab.name}" has no worker "${name}"`,
      names ? `Use one of ${names}.` : `Give it workers: ${labCommand(lab.name, "up --workers 3")}`,
    );
  }
  return worker;
}

/** The numbers that this clone's labs have. */
export async function labNumbersInUse(): Promise<number[]> {
  const names = (await namesIn(labsFolder())).filter((name) => NAME.test(name));
  const labs = await Promise.all(names.map((name) => findLab(name).catch(() => undefined)));
  return labs.flatMap((lab) => (lab ? [lab.settings.number] : []));
}

/** A command line for a lab, such as `npm run lab -- --name blue status`. */
export const labCommand = (name: string, rest: string): string =>
  `npm run lab -- ${name === DEFAULT_LAB ? "" : `--name ${name} `}${rest}`;
