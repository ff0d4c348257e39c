import { existsSync } from "node:fs";
import { chmod, copyFile, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../../labPaths";
import { LabError } from "../../host/labError";
import { architecture, which } from "../../host/platform";
import { attempt, run } from "../../host/run";
import type { Say } from "../../host/say";
import { ensureCached } from "../cache";
import { download } from "../download";
import { buildGoProgram, requiredVersion } from "../goModule";
import { type Binary, linkerFlags, printedVersion, renderGoMod, versionArguments } from "./module";

const MODULE_FOLDER = __dirname;

/** The Kubernetes version that a lab runs by default: the one in go.mod, such as `1.37.2`. */
export const labKubernetesVersion = (): Promise<string> => requiredVersion(MODULE_FOLDER, "k8s.io/kubernetes");

const folderOf = (version: string): string =>
  join(cacheFolder(), "kubernetes", `v${version}`, `linux-${architecture()}`);

/** Finds a binary of a version on PATH or in the cache. */
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
    throw new LabError(
      `${binary} ${version} is neither on PATH nor in the lab's cache`,
      `Make it: npm run lab -- binaries ${binary} --kubernetes-version ${version}`,
    );
  }
  return file;
}

/** Finds, downloads or builds a binary, and returns its path. */
export async function ensureBinary(binary: Binary, version: string, say: Say): Promise<string> {
  const make = async (staging: string): Promise<void> => {
    const url = `https://dl.k8s.io/v${version}/bin/linux/${architecture()}/${binary}`;
    const refused = await download({ url, checksums: `${url}.sha256` }, staging, say);
    if (refused !== undefined) {
      const folder = await ensureModule(version, say);
      const program = `k8s.io/kubernetes/cmd/${binary}`;
      await buildGoProgram({ folder, program, linkerFlags: linkerFlags(version) }, staging, refused, say);
    }
    await chmod(staging, 0o755);
  };
  return (await findBinary(binary, version)) ?? ensureCached(join(folderOf(version), binary), say, make);
}

/** Changes the lab's own Go module to another Kubernetes version. */
export async function rewriteGoModule(version: string, say: Say): Promise<void> {
  const folder = await ensureModule(version, say);
  if (folder !== MODULE_FOLDER) {
    await cp(folder, MODULE_FOLDER, { recursive: true });
  }
}

/** Folder of the Go module for a version: this one, or one in the cache. */
async function ensureModule(version: string, say: Say): Promise<string> {
  if (version === (await labKubernetesVersion())) {
    return MODULE_FOLDER;
  }
  return ensureCached(join(cacheFolder(), "kubernetes", `v${version}`, "module"), say, async (staging) => {
    say("resolving the Go module");
    const env = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" };
    const args = ["mod", "download", "-json", `k8s.io/kubernetes@v${version}`];
    const downloaded = await attempt("go", args, { cwd: "/", env });
    const upstream = (JSON.parse(downloaded.stdout || "{}") as { GoMod?: string }).GoMod;
    if (upstream === undefined) {
      throw new LabError(
        `cannot download the Go module of Kubernetes ${version}: ${downloaded.stderr.trim()}`,
        "Check the version, and that this machine reaches a Go module proxy.",
      );
    }
    await mkdir(staging);
    await writeFile(join(staging, "go.mod"), renderGoMod(version, await readFile(upstream, "utf8")));
    await copyFile(join(MODULE_FOLDER, "tools.go"), join(staging, "tools.go"));
    await run("go", ["mod", "tidy"], { cwd: staging, env });
  });
}
