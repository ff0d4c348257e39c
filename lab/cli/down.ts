import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { findLab, type Lab, labFolder, labOf, type LabOptions, withLabLock } from "../labState";
import { labBridges, ownerMark, networkOwnership, removeNetwork } from "../network/network";
import { labPaths, labsFolder } from "../labPaths";
import { stopDaemon } from "../host/daemon";
import { namesIn } from "../host/files";
import { restoreKernel } from "../host/kernel";
import { withMachineLock } from "../host/lock";
import { removeTree } from "../host/mounts";
import { runSteps } from "./progress";
import { destroyGroups, groupsStartingWith } from "../workers/cgroups";

/** Removes everything that a lab has made. Works on a damaged lab and after an interrupted `up`, too. */
export async function down(options: LabOptions): Promise<void> {
  const folder = labFolder(options.name);
  await withLabLock(options.name, async () => {
    const lab = await findDamagedLab(options.name, folder);
    await runSteps(
      [
        { title: "Processes", run: () => stopAll(folder) },
        {
          title: "Workers and network",
          skip: () => (lab ? false : "there are none"),
          run: () => removeMachines(lab!),
        },
        { title: "Files", run: () => removeTree(folder) },
        { title: "Kernel settings", run: restoreMachine },
      ],
      options,
    );
  });
}

/** Finds a lab by its settings, or by its bridge when the settings are lost. */
async function findDamagedLab(name: string, folder: string): Promise<Lab | undefined> {
  const lab = await findLab(name).catch(() => undefined);
  if (lab) {
    return lab;
  }
  const bridge = (await labBridges()).find(({ owner }) => owner === ownerMark(folder));
  const nothing = { name, kubernetesVersion: "", workers: 0, bare: 0, controllers: 0, flags: {} };
  return bridge && labOf({ ...nothing, number: bridge.number }, folder);
}

/** Ends the processes of all pid files at once. Workers do not shut down first. */
async function stopAll(folder: string): Promise<void> {
  const files = (await namesIn(join(folder, "run"))).filter((name) => name.endsWith(".pid"));
  const components = files.map((file) => file.slice(0, -".pid".length));
  const { pidFile } = labPaths(folder);
  await Promise.all(components.map((name) => stopDaemon(pidFile(name), /^(worker|controller)-/.test(name) ? 0 : 5000)));
}

async function removeMachines(lab: Lab): Promise<void> {
  if ((await networkOwnership(lab)) === "foreign") {
    return; // Another lab has the bridge's name by now.
  }
  await Promise.all((await groupsStartingWith(`${lab.network.bridge}-`)).map(destroyGroups));
  await removeNetwork(lab);
}

/** Restores the kernel settings after the last lab of the machine. */
async function restoreMachine(): Promise<void> {
  await withMachineLock(async () => {
    if ((await labBridges()).length === 0) {
      await restoreKernel();
    }
  });
  await rmdir(labsFolder()).catch(() => undefined); // It fails while other labs are in the folder.
}
