import { createRequire } from "node:module";

/** Version of an installed SDK package such as `@pulumi/random`. The CLI warns about a plugin that reports another version. */
export function sdkVersion(name: string): string {
  return (createRequire(__filename)(`@pulumi/${name}/package.json`) as { version: string }).version;
}
