import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../labPaths";
import { ensureCached, buildGoProgram } from "../builds/cache";
import { type Download, download } from "../builds/download";
import { LabError } from "../host/labError";
import { architecture, which } from "../host/platform";
import type { Say } from "../cli/progress";
import { attempt, run } from "../host/run";

/** A `pulumi` executable. */
export interface PulumiCli {
  readonly file: string;
  /** Such as 3.248.0. */
  readonly version: string;
  readonly origin: "from PATH" | "downloaded" | "built from source";
}

export const describeCli = ({ version, origin }: PulumiCli): string => `pulumi v${version} ${origin}`;

const MODULE = __dirname;
const PROGRAM = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
/** A plain build says v3.0.0, and SDK and CLI check each other's versions. */
const linkerFlags = (version: string): string =>
  `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${version}`;

/** The version of the CLI that the lab makes: the one in its Go module, which is also the SDK's. */
export async function cliVersion(): Promise<string> {
  const goMod = await readFile(join(MODULE, "go.mod"), "utf8");
  const version = /github\.com\/pulumi\/pulumi\/pkg\/v3 v(\S+)$/m.exec(goMod)?.[1];
  if (version === undefined) {
    throw new LabError(`${join(MODULE, "go.mod")} names no version of the Pulumi CLI`);
  }
  return version;
}

/** Whether a CLI of version `found` runs programs of an SDK of version `wanted`: the same major version, and not older. */
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

/** The CLI that is on this machine already: on PATH, or in the cache. */
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
    throw new LabError("there is no Pulumi CLI on this machine yet", "Make it with: npm run lab -- up");
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
      const build = { module: MODULE, program: PROGRAM, linkerFlags: linkerFlags(version), refused };
      await buildGoProgram(build, join(folder, "pulumi"), say);
    }
  });
  return requireCli();
}

const OFFICIAL_DOWNLOADS = "https://github.com/pulumi/pulumi/releases/download";

/** The official release: the CLI, with the published language hosts beside it. */
function release(version: string): Download {
  const base = `${process.env.TLS_BOOTSTRAP_PULUMI_DOWNLOADS || OFFICIAL_DOWNLOADS}/v${version}`;
  const name = `pulumi-v${version}-linux-${process.arch}.tar.gz`;
  return {
    url: `${base}/${name}`,
    checksums: `${base}/pulumi-${version}-checksums.txt`,
    checksumIn: (text) =>
      text
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .find(([, file]) => file === name)?.[0],
  };
}
