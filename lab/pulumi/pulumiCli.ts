import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../labPaths";
import { ensureCached } from "../builds/cache";
import { type Download, download } from "../builds/download";
import { buildGoProgram, requiredVersion } from "../builds/goModule";
import { LabError } from "../host/labError";
import { architecture, which } from "../host/platform";
import { attempt, run } from "../host/run";
import type { Say } from "../host/say";

/** A `pulumi` executable. */
export interface PulumiCli {
  readonly file: string;
  /** Such as 3.248.0. */
  readonly version: string;
  readonly origin: "from PATH" | "downloaded" | "built from source";
}

export const describeCli = ({ version, origin }: PulumiCli): string => `pulumi v${version} ${origin}`;

const MODULE = "github.com/pulumi/pulumi/pkg/v3";
/** SDK and CLI check each other's versions. Without these flags, the CLI reports v3.0.0. */
const linkerFlags = (version: string): string =>
  `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;

/** The version of the CLI that the lab downloads or builds: the one in go.mod, which equals the SDK's. */
export const cliVersion = (): Promise<string> => requiredVersion(__dirname, MODULE);

/** Whether a CLI of version `found` runs programs of SDK `wanted`: it has the same major version and is not older. */
export function isCompatibleWithSdk(found: string, wanted: string): boolean {
  const [have, want] = [found, wanted].map((version) => version.split(".").map(Number));
  return have[0] === want[0] && (have[1] > want[1] || (have[1] === want[1] && have[2] >= want[2]));
}

const folderOf = (version: string): string => join(cacheFolder(), "pulumi", `v${version}`, `linux-${architecture()}`);

function cached(version: string): PulumiCli | undefined {
  const folder = folderOf(version);
  const candidates: PulumiCli[] = [
    { file: join(folder, "downloaded", "pulumi"), version, origin: "downloaded" },
    { file: join(folder, "built", "pulumi"), version, origin: "built from source" },
  ];
  return candidates.find(({ file }) => existsSync(file));
}

/** Finds a CLI that is new enough on PATH or in the cache. */
export async function findCli(): Promise<PulumiCli | undefined> {
  const wanted = await cliVersion();
  const onPath = await which("pulumi");
  if (onPath !== undefined) {
    const { stdout } = await attempt(onPath, ["version"], { timeout: 10_000 });
    const version = /^v(\d+\.\d+\.\d+)/.exec(stdout.trim())?.[1];
    if (version !== undefined && isCompatibleWithSdk(version, wanted)) {
      return { file: onPath, version, origin: "from PATH" };
    }
  }
  return cached(wanted);
}

export async function requireCli(): Promise<PulumiCli> {
  const cli = await findCli();
  if (!cli) {
    throw new LabError("the Pulumi CLI is neither on PATH nor in the lab's cache", "Make it: npm run lab -- up");
  }
  return cli;
}

/** Finds, downloads or builds the CLI. */
export async function ensureCli(say: Say): Promise<PulumiCli> {
  const found = await findCli();
  if (found) {
    return found;
  }
  const version = await cliVersion();
  await ensureCached(folderOf(version), say, async (staging) => {
    await mkdir(staging);
    const archive = join(staging, "release.tar.gz");
    const refused = await download(release(version), archive, say);
    const folder = join(staging, refused === undefined ? "downloaded" : "built");
    await mkdir(folder);
    if (refused === undefined) {
      await run("tar", ["-xzf", archive, "-C", folder, "--strip-components=1", "--no-same-owner"]);
      await rm(archive);
    } else {
      const program = { folder: __dirname, program: `${MODULE}/cmd/pulumi`, linkerFlags: linkerFlags(version) };
      await buildGoProgram(program, join(folder, "pulumi"), refused, say);
    }
  });
  return requireCli();
}

const OFFICIAL_DOWNLOADS = "https://github.com/pulumi/pulumi/releases/download";

/** The official release: an archive with the CLI and the published language hosts. */
function release(version: string): Download {
  const base = `${process.env.TLS_BOOTSTRAP_PULUMI_DOWNLOADS || OFFICIAL_DOWNLOADS}/v${version}`;
  const name = `pulumi-v${version}-linux-${process.arch}.tar.gz`;
  return { url: `${base}/${name}`, checksums: `${base}/pulumi-${version}-checksums.txt` };
}
