import { ensureBinary, labKubernetesVersion, rewriteGoModule } from "../builds/kubernetes/binaries";
import type { Binary } from "../builds/kubernetes/module";
import { findLab, type LabOptions } from "../labState";
import { fillMirror } from "../mirror/mirror";
import { runSteps, type Step } from "./progress";

export interface BinariesOptions extends LabOptions {
  readonly kubernetesVersion?: string;
}

/** Makes binaries that no lab needs by itself, and serves them when a worker may ask for them. */
export async function makeBinaries(names: readonly Binary[], options: BinariesOptions): Promise<void> {
  const version = options.kubernetesVersion ?? (await labKubernetesVersion());
  const lab = await findLab(options.name);
  const steps = names.map((binary): Step => ({
    title: `${binary} ${version}`,
    run: async (say) => void (await ensureBinary(binary, version, say)),
  }));
  const mirror: Step = {
    title: "Mirror",
    skip: () => (lab ? false : `there is no lab "${options.name}"`),
    run: () => fillMirror(lab!, version),
  };
  await runSteps([...steps, mirror], options);
}

/** For upgrades of the lab itself. */
export const moveToKubernetesVersion = (version: string, options: LabOptions): Promise<void> =>
  runSteps([{ title: `Go module of Kubernetes ${version}`, run: (say) => rewriteGoModule(version, say) }], options);
