import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { requireLab, type Lab } from "../lab";
import { REPOSITORY } from "../paths";
import { LabError } from "../system/errors";
import { leaveInterruptsToChildren } from "../system/run";
import type { EngineName, StackRef } from "../engine/types";

/** What the Pulumi stack of a lab is called. */
const STACK = "lab";

export interface StackOptions {
  readonly name: string;
  readonly engine?: EngineName;
  readonly json?: boolean;
  readonly diff?: boolean;
  readonly program?: string;
  readonly configFile?: string;
  readonly expectNoChanges?: boolean;
  readonly refresh?: boolean;
  /** URNs, or patterns of such. */
  readonly replace?: string[];
}

export type StackOperation = "preview" | "up" | "refresh" | "destroy";

function stackOf(lab: Lab, options: StackOptions): StackRef {
  const program = resolve(options.program ?? REPOSITORY);
  if (!existsSync(join(program, "Pulumi.yaml"))) {
    throw new LabError(`${program} is not a Pulumi program: it has no Pulumi.yaml`);
  }
  const configFile = resolve(options.configFile ?? lab.paths.configFile);
  if (!existsSync(configFile)) {
    throw new LabError(
      `there is no ${configFile}`,
      options.configFile ? undefined : "Write it with: npm run lab -- up",
    );
  }
  return { program, stack: STACK, configFile, stateDir: lab.paths.folder, passphraseFile: lab.paths.passphrase };
}

/** Runs one operation of the stack. Returns whether it succeeded; what it did has been printed. */
export async function stackOperation(operation: StackOperation, options: StackOptions): Promise<boolean> {
  const lab = await requireLab(options.name);
  const stack = stackOf(lab, options);
  const { availableEngine, operate } = await import("../engine/index.js");
  const engine = await availableEngine(options.engine);
  const { diff, json, expectNoChanges, refresh, replace } = options;
  leaveInterruptsToChildren();
  const result = await operate(engine, operation, stack, { diff, json, expectNoChanges, refresh, replace });
  if (json) {
    console.log(JSON.stringify(result, null, 2));
  }
  return result.ok;
}

export async function outputsOf(options: StackOptions & { showSecrets?: boolean }): Promise<Record<string, unknown>> {
  const lab = await requireLab(options.name);
  const { availableEngine, stackOutputs } = await import("../engine/index.js");
  const engine = await availableEngine(options.engine);
  return stackOutputs(engine, stackOf(lab, options), { showSecrets: options.showSecrets });
}

/** Which engine this lab's commands use; for status, which must work without one. */
export async function engineName(asked?: EngineName): Promise<string> {
  const { availableEngine } = await import("../engine/index.js");
  return availableEngine(asked).catch(() => "none");
}
