import { spawnSync } from "node:child_process";

/**
 * Reads an Ignition config with Ignition's own parser, and writes its files and units below a folder.
 * @throws Error with what the parser reports. A warning is an error here.
 */
export function parseIgnition(config: string, folder: string): void {
  const { status, stderr } = spawnSync("go", ["run", ".", folder], {
    cwd: __dirname,
    input: config,
    encoding: "utf8",
    env: { ...process.env, GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
  });
  if (status !== 0) throw new Error(`Ignition's parser refuses the config:\n${stderr}`);
}
