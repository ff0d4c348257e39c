import { ensureBinary, labKubernetesVersion, rewriteGoModule } from "../builds/kubernetes/binaries";
import type { Binary } from "../builds/kubernetes/module";
import { findLab, type LabOptions } from "../labState";
import { fillMirror } from "../mirror/mirror";
import { runSteps, type Step } from "./progress";

export interface BinariesOptions extends LabOptions {
  readonly kubernetesVersion?: string;
}

/** Makes binaries that a lab does not need by itself. The mirror then serves those that workers download. */
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

/** Changes the Kubernetes version that labs run by default. */
export const moveToKubernetesVersion = (version: string, options: LabOptions): Promise<void> =>
  runSteps([{ title: `Go module of Kubernetes ${version}`, run: (say) => rewriteGoModule(version, say) }], options);
