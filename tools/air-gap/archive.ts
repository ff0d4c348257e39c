/** Making the archive for workers that download nothing: what belongs into it follows from a stack's settings. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import * as tar from "tar";
import { parse } from "yaml";
import { AIR_GAP_LIST, airGapPath } from "../../components/downloads/airGap";
import { type Download, downloadsOf, pathsOf, siteUrls } from "../../components/downloads/downloads";
import type { Architecture } from "../../components/runtime/runtimeSpec";
import { parseDownloadSettings } from "../../settings/settings";

/** A download, and where it is. */
export interface LocatedDownload extends Download {
  readonly base: string;
}

/** Everything that any pool of a stack needs, which stands in the stack's file. */
export async function downloadsForStack(stackFile: string, architecture: Architecture): Promise<LocatedDownload[]> {
  const { config } = parse(await readFile(stackFile, "utf8")) as { config?: Record<string, unknown> };
  const { downloadUrl, runtime, pools, ...settings } = parseDownloadSettings(config ?? {});
  const wanted = pools.flatMap((pool) => {
    const own = { downloadUrl, runtime: pool.runtime ?? runtime };
    const urls = siteUrls(own);
    return downloadsOf({ ...settings, ...own }, architecture).map((download): LocatedDownload => ({
      ...download,
      base: urls[download.site],
    }));
  });
  return [...new Map(wanted.map((download) => [airGapPath(download, download.path), download])).values()];
}

async function download(url: string, file: string): Promise<void> {
  const answer = await fetch(url).catch((error: Error) => {
    const { message } = error.cause instanceof Error ? error.cause : error; // fetch itself says no more than that it failed
    throw new Error(`cannot download ${url}: ${message}`);
  });
  if (!answer.ok) throw new Error(`cannot download ${url}: ${answer.status} ${answer.statusText}`);
  await mkdir(dirname(file), { recursive: true });
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(file));
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** The checksum of a file in the text of a checksum file, which holds it alone or with those of others. */
function publishedSum(text: string, file: string): string | undefined {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+\*?/));
  return lines.find(([, name]) => name === undefined || name === file)?.[0];
}

/** Downloads into `folder` and verifies; the paths of what is there now. */
async function fetchVerified(wanted: LocatedDownload, folder: string): Promise<string[]> {
  const { base, path, verifiedBy, site } = wanted;
  const at = (of: string) => join(folder, airGapPath({ site }, of));
  await download(`${base}/${path}`, at(path));
  let expected: string | undefined;
  if ("sha256" in verifiedBy) expected = verifiedBy.sha256;
  else {
    await download(`${base}/${verifiedBy.sums}`, at(verifiedBy.sums));
    expected = publishedSum(await readFile(at(verifiedBy.sums), "utf8"), path.split("/").at(-1)!);
    if (!expected) throw new Error(`${base}/${verifiedBy.sums} holds no SHA-256 of ${path}`);
  }
  const actual = await sha256(at(path));
  if (actual !== expected) throw new Error(`${base}/${path} has SHA-256 ${actual}, but ${expected} is expected`);
  return pathsOf(wanted).map((of) => airGapPath({ site }, of));
}

/**
 * Downloads, verifies and packs.
 * @throws Error that names the file that could not be had; then there is no archive.
 */
export async function makeArchive(
  wanted: readonly LocatedDownload[],
  output: string,
  say: (line: string) => void,
): Promise<void> {
  const folder = `${output}.parts`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const paths: string[] = [];
    for (const one of wanted) {
      say(`${one.base}/${one.path}`);
      paths.push(...(await fetchVerified(one, folder)));
    }
    const sums = await Promise.all(paths.map(async (path) => `${await sha256(join(folder, path))}  ${path}\n`));
    await writeFile(join(folder, AIR_GAP_LIST), sums.join(""));
    // Made again of the same files it is the same archive, so that nothing is sent anew.
    const archive = join(folder, "archive");
    await tar.create({ file: archive, cwd: folder, portable: true, mtime: new Date(0) }, [AIR_GAP_LIST, ...paths]);
    await rename(archive, output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
