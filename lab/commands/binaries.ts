import { join } from "node:path";
import { ensureBinary, labVersion, writeModule } from "../kubernetes/binaries";
import { BINARIES, type Binary } from "../kubernetes/module";
import { findLab } from "../lab";
import { fillMirror } from "../mirror";
import { REPOSITORY } from "../paths";
import { LabError } from "../system/errors";
import { runSteps } from "../system/progress";

export interface BinariesOptions {
  readonly name: string;
  readonly json?: boolean;
  readonly kubernetesVersion?: string;
}

function checkBinary(name: string): Binary {
  const binary = BINARIES.find((candidate) => candidate === name);
  if (binary === undefined) {
    throw new LabError(`"${name}" is not a binary that the lab can make`, `It can make ${BINARIES.join(", ")}.`);
  }
  return binary;
}

/** Makes binaries that no lab needs by itself, and serves them when a worker may ask for them. */
export async function binaries(names: readonly string[], options: BinariesOptions): Promise<void> {
  const wanted = names.map(checkBinary);
  const version = options.kubernetesVersion ?? (await labVersion());
  const lab = await findLab(options.name);
  await runSteps(
    [
      ...wanted.map((binary) => ({
        title: `${binary} ${version}`,
        run: async (say: (text: string) => void) => void (await ensureBinary(binary, version, say)),
      })),
      {
        title: "Mirror",
        skip: () => (lab ? false : `there is no lab "${options.name}"`),
        run: () => fillMirror(lab!, version),
      },
    ],
    options,
  );
}

/** For upgrades of the lab itself. */
export async function rewriteModule(version: string): Promise<void> {
  await writeModule(version, join(REPOSITORY, "lab", "kubernetes"));
}
