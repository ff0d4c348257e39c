import { existsSync } from "node:fs";
import { copyFile, link, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ensureCached } from "../builds/cache";
import { buildGoProgram, requiredVersion } from "../builds/goModule";
import { LabError } from "../host/labError";
import { architecture } from "../host/platform";
import type { Say } from "../host/say";
import { cacheFolder } from "../labPaths";
import { requireCli } from "./pulumiCli";

const MODULE = "github.com/pulumi/pulumi-yaml";
const YAML_HOST = "pulumi-language-yaml";
const GO_MODULE = join(__dirname, "yaml");

async function cachedHost(): Promise<string> {
  const version = await requiredVersion(GO_MODULE, MODULE);
  return join(cacheFolder(), "pulumi", `yaml-v${version}`, `linux-${architecture()}`, YAML_HOST);
}

/** Builds the language host for programs in YAML. An official CLI brings its own. */
export async function ensureYamlHost(say: Say): Promise<void> {
  const cli = await requireCli();
  if (existsSync(join(dirname(await realpath(cli.file)), YAML_HOST))) {
    return;
  }
  const program = { folder: GO_MODULE, program: `${MODULE}/cmd/${YAML_HOST}`, linkerFlags: "-s -w" };
  await ensureCached(await cachedHost(), say, (staging) =>
    buildGoProgram(program, staging, "an official Pulumi CLI includes it", say),
  );
}

/**
 * Puts the language host for YAML beside the CLI and the other language hosts. No symbolic link, because this host looks for them beside the
 * link's target.
 */
export async function installYamlHost(executable: string): Promise<void> {
  const file = join(dirname(executable), YAML_HOST);
  if (existsSync(file)) {
    return;
  }
  const built = await cachedHost();
  if (!existsSync(built)) {
    throw new LabError("the lab has no language host for YAML", "Make it: npm run lab -- yaml-host");
  }
  await link(built, file).catch(() => copyFile(built, file));
}
