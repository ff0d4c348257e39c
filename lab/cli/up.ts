import { mkdir } from "node:fs/promises";
import { ensureComponent } from "../control-plane/controlPlane";
import { COMPONENTS, mergeOverrides, type Override } from "../control-plane/componentFlags";
import { ensureBinary, labKubernetesVersion } from "../builds/kubernetes/binaries";
import { NEEDED_BINARIES } from "../builds/kubernetes/module";
import {
  labCommand,
  DEFAULT_LAB,
  findLab,
  type Lab,
  labFolder,
  labOf,
  type LabOptions,
  type LabSettings,
  labNumbersInUse,
  saveLab,
  superfluousMachines,
  withLabLock,
} from "../labState";
import { addBareWorkerFiles, ensureMirror, fillMirror } from "../mirror/mirror";
import { MAX_CONTROLLERS, MAX_LABS, MAX_WORKERS } from "../network/addresses";
import { labBridges, ensureBridge, ensurePodRoutes } from "../network/network";
import { cacheFolder } from "../labPaths";
import { cliVersion, ensureCli } from "../pulumi/pulumiCli";
import { ensurePublishedPlugins } from "../pulumi/plugins";
import { writeLabConfig, writePlatformConfig } from "../labConfig";
import { LabError } from "../host/labError";
import { WORLD_READABLE, writeFileAtomic } from "../host/files";
import { prepareKernel } from "../host/kernel";
import { withMachineLock } from "../host/lock";
import { ensureEtcd } from "../builds/etcd";
import { ensureHostPackages } from "../host/hostPackages";
import { runSteps, type Step } from "./progress";
import { ensureKeyPair, publicKey } from "../host/sshKeys";
import { requireHierarchies } from "../workers/cgroups";
import { type BareRootfs, ensureBareRootfs, ensureRuntimeReleases } from "../workers/bareRootfs";
import { type BaseRootfs, ensureBaseRootfs } from "../workers/rootfs";
import { ensureWorker, removeWorker } from "../workers/labWorker";

export interface UpOptions extends LabOptions {
  readonly workers?: number;
  /** How many of the workers have no container runtime. */
  readonly bare?: number;
  /** How many machines there are for a control plane of the user's own. */
  readonly controllers?: number;
  /** Version of the control plane, and of workers whose settings name no other version. */
  readonly kubernetesVersion?: string;
  readonly flag?: readonly Override[];
  /** Drop the flags of earlier commands. */
  readonly resetFlags?: boolean;
}

export const DEFAULT_WORKERS = 3;

/** Starts a lab, or changes a running lab. Can be repeated after any interruption. */
export async function up(options: UpOptions): Promise<void> {
  if (options.workers !== undefined && options.workers > MAX_WORKERS) {
    throw new LabError(
      `a lab has at most ${MAX_WORKERS} workers, not ${options.workers}`,
      "Give a smaller number with --workers.",
    );
  }
  if (options.controllers !== undefined && options.controllers > MAX_CONTROLLERS) {
    throw new LabError(
      `a lab has at most ${MAX_CONTROLLERS} controllers, not ${options.controllers}`,
      "Give a smaller number with --controllers.",
    );
  }
  if (options.bare !== undefined && options.bare > (options.workers ?? Infinity)) {
    throw new LabError(
      `${options.bare} workers cannot be bare: the lab has ${options.workers} workers`,
      "Give a smaller number with --bare.",
    );
  }
  requireHierarchies();
  checkPaths(options.name);
  await withLabLock(options.name, async () => runSteps(await stepsOf(options), options));
}

/** @throws LabError when a path has characters that separate the mount options of an overlay */
function checkPaths(name: string): void {
  const unusable = [labFolder(name), cacheFolder()].find((path) => /[\s,:\\"]/.test(path));
  if (unusable !== undefined) {
    throw new LabError(
      `the lab cannot use the folder ${unusable}: the path has a space, comma, colon, quote or backslash`,
      "Set TLS_BOOTSTRAP_LAB_DIR and TLS_BOOTSTRAP_CACHE_DIR to other folders.",
    );
  }
}

async function stepsOf(options: UpOptions): Promise<Step[]> {
  const version = options.kubernetesVersion ?? (await labKubernetesVersion());
  // Results of earlier steps, which later steps use.
  let lab: Lab;
  let base: BaseRootfs;
  let bare: BareRootfs | undefined;
  /** Folder of the container runtime releases that bare workers install. */
  let releases = "";
  return [
    {
      title: "Host packages",
      run: async (say) => {
        await ensureHostPackages(say);
        await ensureEtcd(say);
      },
    },
    {
      title: "Programs",
      concurrent: true,
      steps: async () => [
        {
          title: `Kubernetes ${version}`,
          steps: () =>
            NEEDED_BINARIES.map((binary) => ({
              title: binary,
              run: async (say) => void (await ensureBinary(binary, version, say)),
            })),
        },
        {
          title: `Pulumi ${await cliVersion()}`,
          run: async (say) => ensurePublishedPlugins(await ensureCli(say), options.plugins, say),
        },
        {
          title: "Root file system of the workers",
          run: async (say) => void (base = await ensureBaseRootfs(say)),
        },
      ],
    },
    { title: "Network", run: async () => void (lab = await reserveLab(options, version)) },
    {
      title: "Packages and releases for bare machines",
      skip: () => (lab.machines.some((machine) => machine.bare) ? false : "there are none"),
      run: async (say) => {
        bare = await ensureBareRootfs(base, say);
        releases = await ensureRuntimeReleases(base, say);
      },
    },
    { title: "Keys and certificates", run: () => ensureKeys(lab) },
    {
      title: "Machines",
      concurrent: true,
      steps: () => [
        {
          title: "Control plane",
          steps: () => COMPONENTS.map((title) => ({ title, run: () => ensureComponent(lab, title) })),
        },
        {
          title: "Mirror",
          run: async () => {
            await fillMirror(lab, version);
            if (bare) {
              await addBareWorkerFiles(lab, bare.packages, releases);
            }
            await ensureMirror(lab, base);
          },
        },
        {
          title: "Workers and controllers",
          concurrent: true,
          steps: async () => [
            ...(await superfluousMachines(lab)).map((machine) => ({
              title: `${machine.name}: remove`,
              run: () => removeWorker(lab, machine),
            })),
            ...lab.machines.map((machine) => ({
              title: `${machine.name} (${machine.network.address})`,
              run: () => ensureWorker(lab, machine, machine.bare ? bare! : base),
            })),
          ],
        },
      ],
    },
    {
      title: "Stack settings",
      run: async () => {
        await ensurePodRoutes(lab.workers);
        await writeKnownHosts(lab);
        await writeLabConfig(lab);
        if (lab.controllers.length > 0) {
          await writePlatformConfig(lab);
        }
      },
    },
  ];
}

/** Gives the lab a number, makes its bridge, which reserves the number, and saves the lab's settings. */
async function reserveLab(options: UpOptions, version: string): Promise<Lab> {
  return withMachineLock(async () => {
    const before = (await findLab(options.name))?.settings;
    const settings: LabSettings = {
      name: options.name,
      number: before?.number ?? (await freeNumber(options.name)),
      kubernetesVersion: version,
      workers: options.workers ?? before?.workers ?? DEFAULT_WORKERS,
      bare: options.bare ?? before?.bare ?? 0,
      controllers: options.controllers ?? before?.controllers ?? 0,
      flags: mergeOverrides((!options.resetFlags && before?.flags) || {}, options.flag ?? []),
    };
    const lab = labOf(settings, labFolder(options.name));
    await mkdir(lab.paths.folder, { recursive: true, mode: 0o700 });
    await prepareKernel();
    await ensureBridge(lab);
    await saveLab(lab);
    return lab;
  });
}

async function freeNumber(name: string): Promise<number> {
  if (name === DEFAULT_LAB) {
    return 0;
  }
  const taken = new Set([0, ...(await labNumbersInUse()), ...(await labBridges()).map(({ number }) => number)]);
  const free = Array.from({ length: MAX_LABS }, (_, number) => number).find((number) => !taken.has(number));
  if (free === undefined) {
    throw new LabError(`this machine has ${MAX_LABS} labs already`, `Remove one: ${labCommand("<lab>", "down")}`);
  }
  return free;
}

async function ensureKeys(lab: Lab): Promise<void> {
  // Loaded only here, because loading takes longer than most commands.
  const { ensurePki } = await import("../control-plane/pki.js");
  await ensurePki(lab);
  await ensureKeyPair(lab.paths.sshKey, `lab-${lab.name}`);
}

async function writeKnownHosts(lab: Lab): Promise<void> {
  const lines = lab.machines.map(
    async ({ name, network, paths }) => `${name},${network.address} ${await publicKey(paths.hostKey)}\n`,
  );
  await writeFileAtomic(lab.paths.knownHosts, (await Promise.all(lines)).join(""), WORLD_READABLE);
}
