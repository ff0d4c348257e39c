/** Makes the archive for workers without internet access. The settings of a stack determine its content. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as tar from "tar";
import { parse } from "yaml";
import { AIR_GAP_LIST, airGapPath } from "../../components/downloads/airGap";
import { type Download, downloadsOf, kubernetesVersionsOf, siteUrls } from "../../components/downloads/downloads";
import type { Architecture } from "../../components/runtime/releases";
import { fetchFile, publishedChecksum } from "../../lab/builds/fetchFile";
import { parseDownloadSettings } from "../../settings/settings";

/** A download and the base URL of its site. */
export interface LocatedDownload extends Download {
  readonly base: string;
}

/** The downloads that the pools of a stack need, each once. */
export async function downloadsForStack(stackFile: string, architecture: Architecture): Promise<LocatedDownload[]> {
  const { config } = parse(await readFile(stackFile, "utf8")) as { config?: Record<string, unknown> };
  const { kubernetesVersion, kubeProxy, checksums, downloadUrl, runtime, pools } = parseDownloadSettings(config ?? {});
  const located = pools.flatMap((pool) => {
    const kubernetesVersions = kubernetesVersionsOf(kubernetesVersion, pool);
    const settings = { kubernetesVersions, kubeProxy, checksums, downloadUrl, runtime: pool.runtime ?? runtime };
    const urls = siteUrls(settings);
    return downloadsOf(settings, architecture).map((download): LocatedDownload => ({
      ...download,
      base: urls[download.site]!, // a download of a site implies the site
    }));
  });
  return [...new Map(located.map((download) => [airGapPath(download, download.path), download])).values()];
}

/** A file in the archive: its path and SHA-256. */
type ArchivedFile = readonly [path: string, sha256: string];

/** Downloads a file into `folder` and verifies it. Returns the file, and the checksum file where there is one. */
async function fetchVerified(
  { base, path, verifiedBy, site }: LocatedDownload,
  folder: string,
): Promise<ArchivedFile[]> {
  const fetchPart = async (part: string): Promise<ArchivedFile> => {
    const archived = airGapPath({ site }, part);
    const file = join(folder, archived);
    await mkdir(dirname(file), { recursive: true });
    return [archived, await fetchFile(`${base}/${part}`, file)];
  };
  const files = [await fetchPart(path)];
  let expected: string | undefined;
  if ("sha256" in verifiedBy) {
    expected = verifiedBy.sha256;
  } else {
    const sums = await fetchPart(verifiedBy.sums);
    files.push(sums);
    expected = publishedChecksum(await readFile(join(folder, sums[0]), "utf8"), path.split("/").at(-1)!);
    if (!expected) throw new Error(`${base}/${verifiedBy.sums} holds no SHA-256 of ${path}`);
  }
  const [[, actual]] = files;
  if (actual !== expected) throw new Error(`${base}/${path} has SHA-256 ${actual}, but ${expected} is expected`);
  return files;
}

/**
 * Downloads and verifies the files and packs them into an archive.
 * @param say prints the URL of each file
 * @throws Error that names the file that is missing or damaged; no archive is written
 */
export async function makeArchive(
  downloads: readonly LocatedDownload[],
  output: string,
  say: (line: string) => void,
): Promise<void> {
  const folder = `${output}.parts`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const files: ArchivedFile[] = [];
    for (const download of downloads) {
      say(`${download.base}/${download.path}`);
      files.push(...(await fetchVerified(download, folder)));
    }
    await writeFile(join(folder, AIR_GAP_LIST), files.map(([path, sha256]) => `${sha256}  ${path}\n`).join(""));
    // The same files give the same archive, byte for byte. Pulumi compares its hash, and sends an equal archive only once.
    const archive = join(folder, "archive");
    const paths = files.map(([path]) => path);
    await tar.create({ file: archive, cwd: folder, portable: true, mtime: new Date(0) }, [AIR_GAP_LIST, ...paths]);
    await rename(archive, output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
