import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { ensureComponent, type Programs } from "../control-plane/controlPlane";
import { mergeOverrides, parseOverride } from "../control-plane/flags";
import { ensureBinary, labVersion, requireBinary } from "../kubernetes/binaries";
import { NEEDED_BINARIES } from "../kubernetes/module";
import {
  command,
  DEFAULT_LAB,
  findLab,
  type FlagOverrides,
  type Lab,
  labFolder,
  labLock,
  labOf,
  type LabSettings,
  type LabWorker,
  numbersInUse,
  saveLab,
} from "../lab";
import { ensureMirror, fillMirror, fillMirrorForBare } from "../mirror";
import { MAX_LABS, MAX_WORKERS, workerName, workerNumber, workerNetworkOf } from "../network/addresses";
import { bridges, ensureBridge, ensurePodRoutes } from "../network/network";
import { cacheFolder, workerPaths } from "../paths";
import { cliVersion, ensureCli } from "../pulumi/cli";
import { ensurePublishedPlugins, type PluginKind } from "../pulumi/plugins";
import { writeLabConfig } from "../stackConfig";
import { LabError } from "../system/errors";
import { writeFileAtomic } from "../system/files";
import { prepareKernel } from "../system/kernel";
import { MACHINE_LOCK, withLock } from "../system/lock";
import { ensureEtcd, ensureHostPackages } from "../system/packages";
import { runSteps, type Step } from "../system/progress";
import { ensureKeyPair, publicKey } from "../system/ssh";
import { requireHierarchies } from "../worker/cgroups";
import { type BareRootfs, ensureBareRootfs, ensureReleases } from "../worker/bare";
import { type BaseRootfs, ensureBaseRootfs } from "../worker/rootfs";
import { ensureWorker, removeWorker } from "../worker/worker";

export interface UpOptions {
  readonly name: string;
  readonly workers?: number;
  /** How many of them have no container runtime. */
  readonly bare?: number;
  /** Version of the control plane, and of the workers unless their settings say another. */
  readonly kubernetesVersion?: string;
  /** `<component>=<--flag=value>` */
  readonly flag?: readonly string[];
  /** Forget what earlier commands gave as `flag`. */
  readonly resetFlags?: boolean;
  readonly plugins?: PluginKind;
  readonly json?: boolean;
}

export const DEFAULT_WORKERS = 3;

/** Brings a lab up, or to what it should be when it runs already. May be repeated after any interruption. */
export async function up(options: UpOptions): Promise<Lab> {
  const flags = parseFlags(options.flag ?? []);
  if (options.workers !== undefined && !(options.workers >= 0 && options.workers <= MAX_WORKERS)) {
    throw new LabError(`a lab has 0 to ${MAX_WORKERS} workers`, "Give a number with --workers.");
  }
  if (options.bare !== undefined && options.bare > (options.workers ?? Infinity)) {
    throw new LabError("there cannot be more bare workers than workers", "Give a smaller number with --bare.");
  }
  requireHierarchies();
  checkPaths(options.name);
  const waiting = (): void => console.error(`Another command is at work on the lab "${options.name}"; waiting for it.`);
  return withLock(labLock(options.name), waiting, async () => {
    const version = options.kubernetesVersion ?? (await labVersion());
    const context: Context = { options, flags, version, pulumi: await cliVersion() };
    await runSteps(stepsOf(context), options);
    return ready(context);
  });
}

/** The mount options of an overlay can't name every path. */
function checkPaths(name: string): void {
  const unusable = [labFolder(name), cacheFolder()].find((path) => /[\s,:\\"]/.test(path));
  if (unusable !== undefined) {
    throw new LabError(
      `the lab can't work in ${unusable}: its path has a blank, comma, colon, quote or backslash`,
      "Choose other folders with TLS_BOOTSTRAP_LAB_DIR and TLS_BOOTSTRAP_CACHE_DIR.",
    );
  }
}

/** What the steps hand on to each other. */
interface Context {
  readonly options: UpOptions;
  readonly flags: FlagOverrides;
  readonly version: string;
  /** Version of the Pulumi CLI. */
  readonly pulumi: string;
  etcd?: string;
  base?: BaseRootfs;
  bare?: BareRootfs;
  /** Releases of a container runtime, for bare workers. */
  releases?: string;
  lab?: Lab;
}

function ready({ lab }: Context): Lab {
  if (!lab) {
    throw new Error("the lab's number is not known yet");
  }
  return lab;
}

function stepsOf(context: Context): Step[] {
  return [
    {
      title: "Host packages",
      run: async (say) => {
        await ensureHostPackages(say);
        context.etcd = await ensureEtcd(say);
      },
    },
    {
      title: "Programs",
      concurrent: true,
      steps: () => [
        {
          title: `Kubernetes ${context.version}`,
          steps: () =>
            NEEDED_BINARIES.map((binary) => ({
              title: binary,
              run: async (say) => void (await ensureBinary(binary, context.version, say)),
            })),
        },
        {
          title: `Pulumi ${context.pulumi}`,
          run: async (say) => {
            const cli = await ensureCli(say);
            await ensurePublishedPlugins(cli, context.options.plugins, say);
          },
        },
        {
          title: "Root file system of the workers",
          run: async (say) => {
            context.base = await ensureBaseRootfs(say);
          },
        },
      ],
    },
    { title: "Network", run: async () => void (context.lab = await claim(context)) },
    {
      title: "What bare workers lack, and can install",
      skip: () => (ready(context).settings.bare ? false : "there are none"),
      run: async (say) => {
        context.bare = await ensureBareRootfs(context.base!, say);
        context.releases = await ensureReleases(context.base!, say);
      },
    },
    { title: "Keys and certificates", run: () => ensureKeys(ready(context)) },
    {
      title: "Machines",
      concurrent: true,
      steps: () => [
        { title: "Control plane", steps: () => controlPlaneSteps(context) },
        {
          title: "Mirror",
          run: async () => {
            await fillMirror(ready(context), context.version);
            if (context.bare && context.releases) {
              await fillMirrorForBare(ready(context), context.bare.packages, context.releases);
            }
            await ensureMirror(ready(context), context.base!);
          },
        },
        { title: "Workers", concurrent: true, steps: () => workerSteps(context) },
      ],
    },
    {
      title: "Stack settings",
      run: async () => {
        const lab = ready(context);
        await ensurePodRoutes(lab.workers);
        await writeKnownHosts(lab);
        await writeLabConfig(lab);
      },
    },
  ];
}

async function controlPlaneSteps(context: Context): Promise<Step[]> {
  const lab = ready(context);
  const programs: Programs = {
    etcd: context.etcd!,
    "kube-apiserver": await requireBinary("kube-apiserver", context.version),
    "kube-controller-manager": await requireBinary("kube-controller-manager", context.version),
    "kube-scheduler": await requireBinary("kube-scheduler", context.version),
  };
  return (["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const).map((component) => ({
    title: component,
    run: () => ensureComponent(lab, component, programs[component]),
  }));
}

async function workerSteps(context: Context): Promise<Step[]> {
  const lab = ready(context);
  const superfluous = (await workersOnDisk(lab)).filter(({ number }) => number > lab.workers.length);
  return [
    ...superfluous.map((worker) => ({
      title: `${worker.name}, no longer wanted`,
      run: () => removeWorker(lab, worker),
    })),
    ...lab.workers.map((worker) => ({
      title: `${worker.name} (${worker.network.address})`,
      run: () => ensureWorker(lab, worker, worker.bare ? context.bare! : context.base!),
    })),
  ];
}

/** The workers that have a folder, wanted or not. */
export async function workersOnDisk(lab: Lab): Promise<LabWorker[]> {
  const names = existsSync(lab.paths.workers) ? await readdir(lab.paths.workers) : [];
  return names.flatMap((name) => {
    const number = workerNumber(name);
    return number === undefined
      ? []
      : [
          {
            name: workerName(number),
            number,
            network: workerNetworkOf(lab.settings.number, number),
            paths: workerPaths(lab.paths, name),
            bare: false,
          },
        ];
  });
}

/** Gives the lab its number, writes down what it should be, and makes its bridge, by which others see the number taken. */
async function claim({ options, flags, version }: Context): Promise<Lab> {
  return withLock(
    MACHINE_LOCK,
    () => undefined,
    async () => {
      const before = (await findLab(options.name))?.settings;
      const settings: LabSettings = {
        name: options.name,
        number: before?.number ?? (await freeNumber(options.name)),
        kubernetesVersion: version,
        workers: options.workers ?? before?.workers ?? DEFAULT_WORKERS,
        bare: options.bare ?? before?.bare ?? 0,
        flags: mergeFlags((!options.resetFlags && before?.flags) || {}, flags),
      };
      const lab = labOf(settings, labFolder(options.name));
      await mkdir(lab.paths.folder, { recursive: true, mode: 0o700 });
      await prepareKernel();
      await ensureBridge(lab);
      await saveLab(lab);
      return lab;
    },
  );
}

async function freeNumber(name: string): Promise<number> {
  if (name === DEFAULT_LAB) {
    return 0;
  }
  const taken = new Set([0, ...(await numbersInUse()), ...(await bridges()).map(({ number }) => number)]);
  for (let number = 1; number < MAX_LABS; number++) {
    if (!taken.has(number)) {
      return number;
    }
  }
  throw new LabError(`there are ${MAX_LABS} labs already`, `Remove one: ${command("<lab>", "down")}`);
}

async function ensureKeys(lab: Lab): Promise<void> {
  // Loaded when it is needed: it takes longer to load than most commands take.
  const { ensurePki } = await import("../control-plane/pki.js");
  await ensurePki(lab);
  await ensureKeyPair(lab.paths.sshKey, `lab-${lab.name}`);
}

async function writeKnownHosts(lab: Lab): Promise<void> {
  const lines = lab.workers.map(
    async ({ name, network, paths }) => `${name},${network.address} ${await publicKey(paths.hostKey)}\n`,
  );
  await writeFileAtomic(lab.paths.knownHosts, (await Promise.all(lines)).join(""), 0o644);
}

function parseFlags(texts: readonly string[]): FlagOverrides {
  const overrides: FlagOverrides = {};
  for (const text of texts) {
    const parsed = parseOverride(text);
    if (!parsed) {
      throw new LabError(
        `"${text}" is not <component>=<--flag=value>`,
        "For example: --flag kube-controller-manager=--cluster-signing-duration=15m",
      );
    }
    (overrides[parsed.component] ??= []).push(parsed.flag);
  }
  return overrides;
}

function mergeFlags(remembered: FlagOverrides, added: FlagOverrides): FlagOverrides {
  const merged: FlagOverrides = { ...remembered };
  for (const [component, flags] of Object.entries(added) as [keyof FlagOverrides, string[]][]) {
    merged[component] = mergeOverrides(merged[component] ?? [], flags);
  }
  return merged;
}
