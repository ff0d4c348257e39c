import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { COMPONENTS } from "./control-plane/componentFlags";
import { MIRROR } from "./mirror/mirror";
import {
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

/** What a lab remembers between commands (lab.json). */
const settingsSchema = z.object({
  name: z.string(),
  number: z.number().int(),
  kubernetesVersion: z.string(),
  workers: z.number().int(),
  /** How many of them, the last ones, are bare: without a container runtime. */
  bare: z.number().int().default(0),
  /** Flags that differ from the lab's own, by control plane component. */
  flags: z.partialRecord(z.enum(COMPONENTS), z.array(z.string())),
});
export type LabSettings = z.infer<typeof settingsSchema>;

/** What all commands are told. */
export interface LabOptions {
  readonly name: string;
  readonly plugins?: PluginKind;
  /** The result is for a program to read. */
  readonly json?: boolean;
}

export interface LabWorker {
  readonly name: string;
  readonly number: number;
  /** Nothing but Debian, sshd and an administrator: no container runtime. */
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
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

export function checkLabName(name: string): string {
  if (!NAME.test(name)) {
    throw new LabError(
      `"${name}" can't be a lab's name`,
      "Use up to 32 of a-z, 0-9 and -, not starting or ending with -.",
    );
  }
  return name;
}

export const labFolder = (name: string): string => join(labsFolder(), checkLabName(name));

/** Runs one command at a time of those that change a lab. The lock is outside of the lab's folder, which `down` removes. */
export async function withLabLock<T>(name: string, action: () => Promise<T>): Promise<T> {
  const file = `/run/lock/tls-bootstrap-lab-${hash("sha256", labFolder(name)).slice(0, 16)}.lock`;
  const waiting = (): void => console.error(`Another command is at work on the lab "${name}"; waiting for it.`);
  return withLock(file, action, waiting);
}

export function labOf(settings: LabSettings, folder: string): Lab {
  const paths = labPaths(folder);
  const numbers = Array.from({ length: settings.workers }, (_, index) => index + 1);
  return {
    name: settings.name,
    settings,
    network: networkOf(settings.number),
    paths,
    workers: numbers.map((number) => workerOf({ settings, paths }, number)),
  };
}

function workerOf({ settings, paths }: Pick<Lab, "settings" | "paths">, number: number): LabWorker {
  const name = workerName(number);
  return {
    name,
    number,
    bare: number > settings.workers - settings.bare,
    network: workerNetworkOf(settings.number, number),
    paths: workerPaths(paths, name),
  };
}

/** The workers that have a folder and are no longer wanted. */
export async function superfluousWorkers(lab: Lab): Promise<LabWorker[]> {
  const numbers = (await namesIn(lab.paths.workers)).map((name) => workerNumber(name) ?? 0);
  return numbers.filter((number) => number > lab.workers.length).map((number) => workerOf(lab, number));
}

/** The lab as it was last set up; undefined when there is none of that name. */
export async function findLab(name: string): Promise<Lab | undefined> {
  const folder = labFolder(name);
  const { settings: file } = labPaths(folder);
  if (!existsSync(file)) {
    return undefined;
  }
  try {
    return labOf(settingsSchema.parse(JSON.parse(await readFile(file, "utf8"))), folder);
  } catch {
    throw new LabError(`${file} is not a lab's settings file`, `Remove the lab with: ${labCommand(name, "down")}`);
  }
}

export async function requireLab(name: string): Promise<Lab> {
  const lab = await findLab(name);
  if (!lab) {
    throw new LabError(`there is no lab "${name}"`, `Start it with: ${labCommand(name, "up")}`);
  }
  return lab;
}

/** Refuses a name that is of nothing that can be started and stopped. */
export function requirePart(lab: Lab, name: string): void {
  const parts = [...COMPONENTS, MIRROR, ...lab.workers.map((worker) => worker.name)];
  if (!parts.includes(name)) {
    throw new LabError(`the lab has no part "${name}"`, `It has ${parts.join(", ")}.`);
  }
}

export async function saveLab(lab: Lab): Promise<void> {
  await writeFileAtomic(lab.paths.settings, `${JSON.stringify(lab.settings, null, 2)}\n`, WORLD_READABLE);
}

export function requireWorker(lab: Lab, name: string): LabWorker {
  const worker = lab.workers.find((candidate) => candidate.name === name);
  if (!worker) {
    throw new LabError(
      `the lab has no worker "${name}"`,
      `It has ${lab.workers.map((candidate) => candidate.name).join(", ") || "none"}.`,
    );
  }
  return worker;
}

/** The numbers of this clone's labs. */
export async function labNumbersInUse(): Promise<number[]> {
  const names = (await namesIn(labsFolder())).filter((name) => NAME.test(name));
  const labs = await Promise.all(names.map((name) => findLab(name).catch(() => undefined)));
  return labs.flatMap((lab) => (lab ? [lab.settings.number] : []));
}

/** A command line of this tool, for hints. */
export const labCommand = (name: string, rest: string): string =>
  `npm run lab -- ${name === DEFAULT_LAB ? "" : `--name ${name} `}${rest}`;
