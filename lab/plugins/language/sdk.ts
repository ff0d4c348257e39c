import { createRequire } from "node:module";
import { join } from "node:path";

/** Version of the SDK that the host itself uses. */
export const SDK_VERSION: string = (
  createRequire(__filename)("@pulumi/pulumi/package.json") as { readonly version: string }
).version;

/**
 * File of one of the SDK's runners, such as `run` or `run-policy-pack`. Each program brings its own SDK, in its `node_modules` or in
 * those of a folder above: this repository's policy pack and examples use the repository's.
 */
export function sdkRunner(name: string, programDirectory: string): string {
  try {
    return createRequire(join(programDirectory, "package.json")).resolve(`@pulumi/pulumi/cmd/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(`${programDirectory}: the Pulumi SDK is not installed; run: npm ci`);
  }
}
