/**
 * The archive for workers that download nothing: what they would download, in folders that are laid out like the sites it would come from,
 * and a list of the files' checksums. It is sent to them over SSH; `npm run air-gap` makes it.
 */
import { createHash } from "node:crypto";
import * as tar from "tar";
import { type Download, downloadsOf, type DownloadSettings, pathsOf } from "./downloads";
import type { Check } from "../validation/refuse";
import { ARCHITECTURES } from "../runtime/releases";
import type { Environment } from "../spec/bootstrapSchema";
import type { PlacedPool } from "../spec/check";
import { below } from "../validation/problems";

/** The list in an archive, as sha256sum(1) writes it. */
export const AIR_GAP_LIST = "SHA256SUMS";

/** What of an archive is known without unpacking it. */
export interface AirGapArchive {
  /** SHA-256 of its list, by which a host knows that it is the one that was meant. */
  readonly digest: string;
  readonly files: ReadonlySet<string>;
}

/** Where a download is in an archive. */
export const airGapPath = ({ site }: Pick<Download, "site">, path: string): string => `${site}/${path}`;

const known = new Map<string, AirGapArchive>();

/**
 * Reads the list of an archive; once for each file.
 * @throws Error that says why it cannot be read
 */
export function readAirGap(file: string): AirGapArchive {
  const before = known.get(file);
  if (before) return before;
  let list = "";
  try {
    tar.list({
      file,
      sync: true,
      onReadEntry: (entry) => entry.path === AIR_GAP_LIST && entry.on("data", (part) => (list += part.toString())),
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`, { cause: error });
  }
  if (!list) throw new Error(`is no archive for air-gapped workers: it has no ${AIR_GAP_LIST}`);
  const archive = {
    digest: createHash("sha256").update(list).digest("hex"),
    files: new Set(list.split("\n").flatMap((line) => line.split(/ [ *]/)[1] ?? [])),
  };
  known.set(file, archive);
  return archive;
}

/** What is wrong with an archive for workers that need these downloads. */
export function airGapProblem(file: string, settings: DownloadSettings): string | undefined {
  if (settings.runtime.type === "package")
    return "cannot bring packages, which come from repositories: use runtime type 'tarball' or 'preinstalled'";
  let archive: AirGapArchive;
  try {
    archive = readAirGap(file);
  } catch (error) {
    return `${(error as Error).message}; make it on a machine that can download: npm run air-gap -- stacks/Pulumi.<stack>.yaml`;
  }
  const missing = ARCHITECTURES.map((architecture) =>
    downloadsOf(settings, architecture)
      .flatMap((download) => pathsOf(download).map((path) => airGapPath(download, path)))
      .filter((path) => !archive.files.has(path)),
  ).sort((one, other) => one.length - other.length)[0];
  return missing.length > 0
    ? `lacks ${missing.join(", ")}; make it anew: npm run air-gap -- stacks/Pulumi.<stack>.yaml`
    : undefined;
}

/** The problems with the archives of all pools, each at the setting that names the archive. */
export function airGapChecks(environment: Environment, pools: readonly PlacedPool[]): Check[] {
  const checks = pools.map(({ at, pool }): Check => {
    const file = pool.airGap ?? environment.airGap;
    const runtime = pool.runtime ?? environment.runtime;
    const problem = file === undefined ? undefined : airGapProblem(file, { ...environment, runtime });
    return [pool.airGap === undefined ? "airGap" : below(at, "airGap"), problem, file];
  });
  return [...new Map(checks.map((check) => [check.join(), check])).values()];
}
