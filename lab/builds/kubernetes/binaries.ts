import { existsSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../../labPaths";
import { ensureCached, buildGoProgram } from "../cache";
import { download } from "../download";
import { LabError } from "../../host/labError";
import { architecture, which } from "../../host/platform";
import type { Say } from "../../cli/progress";
import { attempt, run } from "../../host/run";
import { type Binary, linkerFlags, printedVersion, renderGoMod, versionArguments, versionOf } from "./module";

const MODULE = __dirname;

/** The Kubernetes version of the lab: the one that its Go module asks for. */
export async function labKubernetesVersion(): Promise<string> {
  const version = versionOf(await readFile(join(MODULE, "go.mod"), "utf8"));
  if (version === undefined) {
    throw new LabError(`${join(MODULE, "go.mod")} names no version of k8s.io/kubernetes`);
  }
  return version;
}

const folderOf = (version: string): string =>
  join(cacheFolder(), "kubernetes", `v${version}`, `linux-${architecture()}`);

/** Where a binary of that version is on this machine already: on PATH, or in the cache. */
export async function findBinary(binary: Binary, version: string): Promise<string | undefined> {
  const onPath = await which(binary);
  if (onPath !== undefined) {
    const { stdout } = await attempt(onPath, versionArguments(binary), { timeout: 5000 });
    if (printedVersion(stdout) === version) {
      return onPath;
    }
  }
  const cached = join(folderOf(version), binary);
  return existsSync(cached) ? cached : undefined;
}

export async function requireBinary(binary: Binary, version: string): Promise<string> {
  const file = await findBinary(binary, version);
  if (file === undefined) {
    throw new LabError(`${binary} ${version} is not on this machine`, "Make it with: npm run lab -- up");
  }
  return file;
}

/** Finds, downloads or builds a binary; returns where it is. */
export async function ensureBinary(binary: Binary, version: string, say: Say): Promise<string> {
  const make = async (staging: string): Promise<void> => {
    const url = `https://dl.k8s.io/v${version}/bin/linux/${architecture()}/${binary}`;
    const checksumIn = (text: string): string => text.trim().split(/\s/)[0];
    const refused = await download({ url, checksums: `${url}.sha256`, checksumIn }, staging, say);
    if (refused !== undefined) {
      const program = `k8s.io/kubernetes/cmd/${binary}`;
      const module = await moduleFor(version, say);
      await buildGoProgram({ module, program, linkerFlags: linkerFlags(version), refused }, staging, say);
    }
    await chmod(staging, 0o755);
  };
  return (await findBinary(binary, version)) ?? ensureCached(join(folderOf(version), binary), say, make);
}

/** Moves the lab to another Kubernetes version. */
export async function rewriteGoModule(version: string, say: Say): Promise<void> {
  const module = await moduleFor(version, say);
  if (module !== MODULE) {
    await cp(module, MODULE, { recursive: true });
  }
}

/** The Go module for a version: the committed one, or one made for the occasion. */
async function moduleFor(version: string, say: Say): Promise<string> {
  if (version === (await labKubernetesVersion())) {
    return MODULE;
  }
  return ensureCached(join(cacheFolder(), "kubernetes", `v${version}`, "module"), say, async (staging) => {
    say("resolving the Go module");
    const env = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" };
    const args = ["mod", "download", "-json", `k8s.io/kubernetes@v${version}`];
    const downloaded = await attempt("go", args, { cwd: "/", env });
    const upstream = (JSON.parse(downloaded.stdout || "{}") as { GoMod?: string }).GoMod;
    if (upstream === undefined) {
      throw new LabError(`there is no Go module of Kubernetes ${version}: ${downloaded.stderr.trim()}`);
    }
    await mkdir(staging);
    await writeFile(join(staging, "go.mod"), renderGoMod(version, await readFile(upstream, "utf8")));
    await copyFile(join(MODULE, "tools.go"), join(staging, "tools.go"));
    await run("go", ["mod", "tidy"], { cwd: staging, env });
  });
}
