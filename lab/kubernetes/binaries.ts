import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../paths";
import { type Download, download } from "../system/download";
import { LabError } from "../system/errors";
import { goBuild } from "../system/goBuild";
import { withLock } from "../system/lock";
import { architecture, which } from "../system/machine";
import type { Say } from "../system/progress";
import { attempt, run } from "../system/run";
import {
  type Binary,
  linkerFlags,
  printedVersion,
  renderGoMod,
  renderToolsGo,
  versionArguments,
  versionOf,
} from "./module";

const OFFICIAL_DOWNLOADS = "https://dl.k8s.io";
const MODULE = __dirname;

/** The Kubernetes version of the lab: the one that its Go module asks for. */
export async function labVersion(): Promise<string> {
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

/** The official binary, and its checksum beside it. */
function published(binary: Binary, version: string): Download {
  const base = process.env.TLS_BOOTSTRAP_LAB_DOWNLOADS || OFFICIAL_DOWNLOADS;
  const url = `${base}/v${version}/bin/linux/${architecture()}/${binary}`;
  return { url, checksums: `${url}.sha256`, checksumIn: (text) => text.trim().split(/\s/)[0] };
}

/** Finds, downloads or builds a binary; returns where it is. */
export async function ensureBinary(binary: Binary, version: string, say: Say): Promise<string> {
  const found = await findBinary(binary, version);
  if (found !== undefined) {
    return found;
  }
  const folder = folderOf(version);
  await mkdir(folder, { recursive: true });
  const waiting = (): void => say("waiting for another command that makes it");
  return withLock(join(folder, ".lock"), waiting, async () => {
    const file = join(folder, binary);
    if (!existsSync(file)) {
      const temporary = join(folder, `.${binary}.new`);
      const refused = await download(published(binary, version), temporary, say);
      if (refused !== undefined) {
        const program = `k8s.io/kubernetes/cmd/${binary}`;
        const module = await moduleFor(version, say);
        await goBuild({ module, program, linkerFlags: linkerFlags(version), to: temporary }, (text) =>
          say(`${text} (no official download: ${refused})`),
        );
      }
      await chmod(temporary, 0o755);
      await rename(temporary, file);
    }
    return file;
  });
}

/** The Go module for a version: the committed one, or one made for the occasion. */
async function moduleFor(version: string, say: Say): Promise<string> {
  if (version === (await labVersion())) {
    return MODULE;
  }
  const folder = join(cacheFolder(), "kubernetes", `v${version}`, "module");
  if (!existsSync(join(folder, "go.sum"))) {
    say("resolving the Go module");
    await writeModule(version, folder);
  }
  return folder;
}

/** Writes go.mod, go.sum and tools.go for a Kubernetes version. */
export async function writeModule(version: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const env = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" };
  const downloaded = await attempt("go", ["mod", "download", "-json", `k8s.io/kubernetes@v${version}`], {
    cwd: "/",
    env,
  });
  const goMod = (JSON.parse(downloaded.stdout || "{}") as { GoMod?: string }).GoMod;
  if (goMod === undefined) {
    throw new LabError(`there is no Go module of Kubernetes ${version}: ${downloaded.stderr.trim()}`);
  }
  const staging = `${folder}.new`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  await writeFile(join(staging, "go.mod"), renderGoMod(version, await readFile(goMod, "utf8")));
  await writeFile(join(staging, "tools.go"), renderToolsGo());
  await run("go", ["mod", "tidy"], { cwd: staging, env });
  for (const file of ["go.mod", "tools.go", "go.sum"]) {
    await copyFile(join(staging, file), join(folder, file));
  }
  await rm(staging, { recursive: true, force: true });
}
