import { createHash } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { cacheFolder } from "../paths";
import { LabError, messageOf } from "../system/errors";
import { withLock } from "../system/lock";
import { architecture, which } from "../system/machine";
import { type Say, withHeartbeat } from "../system/progress";
import { attempt, contained, run } from "../system/run";
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
const CONNECT_MS = 4000;
/** A download that brings nothing for so long has stalled. */
const STALL_MS = 20_000;
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
    const { stdout } = await attempt(onPath, versionArguments(binary), { timeoutMs: 5000 });
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
      const refused = await download(binary, version, temporary, say);
      if (refused !== undefined) {
        await build(binary, version, temporary, (text) => say(`${text} (no official download: ${refused})`));
      }
      await chmod(temporary, 0o755);
      await rename(temporary, file);
    }
    return file;
  });
}

/** Said once: a machine without a way out need not find that out for every binary. */
let unreachable: string | undefined;

/** Downloads the official binary. Returns why there is none to be had; a wrong checksum is an error. */
async function download(binary: Binary, version: string, to: string, say: Say): Promise<string | undefined> {
  const base = process.env.TLS_BOOTSTRAP_LAB_DOWNLOADS || OFFICIAL_DOWNLOADS;
  const url = `${base}/v${version}/bin/linux/${architecture()}/${binary}`;
  if (unreachable !== undefined) {
    return unreachable;
  }
  let wanted: string;
  try {
    const response = await fetch(`${url}.sha256`, { signal: AbortSignal.timeout(CONNECT_MS) });
    const text = (await response.text()).trim().split(/\s/)[0];
    if (!response.ok || !/^[0-9a-f]{64}$/.test(text)) {
      return `${url}.sha256 answers ${response.status}`;
    }
    wanted = text;
  } catch {
    unreachable = `${new URL(base).host} can't be reached`;
    return unreachable;
  }
  try {
    const got = await withHeartbeat(say, "downloading", () => fetchTo(url, to));
    if (got !== wanted) {
      await rm(to, { force: true });
      throw new LabError(`${url} has the SHA-256 ${got}, not the published ${wanted}`, "Nothing was kept; try again.");
    }
    return undefined;
  } catch (error) {
    if (error instanceof LabError) {
      throw error;
    }
    return `the download broke off: ${messageOf(error)}`;
  }
}

/** Fetches a file and returns its SHA-256. */
async function fetchTo(url: string, to: string): Promise<string> {
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(new Error("it stalled")), STALL_MS);
  try {
    const response = await fetch(url, { signal: stalled.signal });
    if (!response.ok || response.body === null) {
      throw new Error(`${url} answers ${response.status}`);
    }
    const hash = createHash("sha256");
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        watch.refresh();
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(response.body), tap, createWriteStream(to));
    return hash.digest("hex");
  } finally {
    clearTimeout(watch);
  }
}

const NEEDED_GO = [1, 24];

async function build(binary: Binary, version: string, to: string, say: Say): Promise<void> {
  const go = await run("go", ["env", "GOVERSION"], { cwd: "/", env: { GOTOOLCHAIN: "local" } });
  const [major, minor] = (/go(\d+)\.(\d+)/.exec(go) ?? []).slice(1).map(Number);
  if (!(major > NEEDED_GO[0] || (major === NEEDED_GO[0] && minor >= NEEDED_GO[1]))) {
    throw new LabError(
      `Kubernetes ${version} is built with Go ${NEEDED_GO.join(".")} or newer, not ${go.trim()}`,
      `Install a newer Go, or put ${binary} ${version} on PATH.`,
    );
  }
  const module = await moduleFor(version, say);
  const logFile = join(folderOf(version), `${binary}.build.log`);
  await rm(logFile, { force: true });
  const args = ["build", "-trimpath", "-ldflags", linkerFlags(version), "-o", to, `k8s.io/kubernetes/cmd/${binary}`];
  // A build that is killed leaves its scratch files: here the next one finds and removes them.
  const scratch = join(folderOf(version), ".build");
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch);
  const env = { CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "local", GOTMPDIR: scratch };
  await withHeartbeat(say, "building from source", () => run(...contained("go", args), { cwd: module, env, logFile }));
  await rm(scratch, { recursive: true, force: true });
  await rm(logFile, { force: true });
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
