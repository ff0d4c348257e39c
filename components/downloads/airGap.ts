/**
 * The air-gap archive, for workers without internet access. `npm run air-gap` makes it, and Pulumi sends it to each worker over SSH. Its
 * folders are laid out like the sites that the files come from. A list holds the files' checksums.
 */
import { createHash } from "node:crypto";
import * as tar from "tar";
import {
  type Download,
  downloadsOf,
  type DownloadSettings,
  fewestOfArchitectures,
  kubernetesVersionsOf,
  pathsOf,
} from "./downloads";
import type { Check } from "../validation/refuse";
import type { Environment } from "../spec/bootstrapSchema";
import type { PlacedPool } from "../spec/check";
import { below } from "../validation/problems";

/** Name of the checksum list in an archive. The list has the format of sha256sum(1). */
export const AIR_GAP_LIST = "SHA256SUMS";

/** The content of an archive, by its list. */
export interface AirGapArchive {
  /** SHA-256 of the list. The host compares it with the archive that arrived. */
  readonly digest: string;
  readonly files: ReadonlySet<string>;
}

/** The path of a file in an archive. */
export const airGapPath = ({ site }: Pick<Download, "site">, path: string): string => `${site}/${path}`;

const archives = new Map<string, AirGapArchive>();

/**
 * Reads the list of an archive. A second call for the same file reads nothing.
 * @throws Error when the file is not a readable air-gap archive.
 */
export function readAirGap(file: string): AirGapArchive {
  const known = archives.get(file);
  if (known) return known;
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
  if (!list) throw new Error(`is not an air-gap archive: it has no ${AIR_GAP_LIST}`);
  const archive = {
    digest: createHash("sha256").update(list).digest("hex"),
    files: new Set(list.split("\n").flatMap((line) => line.split(/ [ *]/)[1] ?? [])),
  };
  archives.set(file, archive);
  return archive;
}

/** What is wrong with an archive for workers with these settings. Undefined when it has all files for at least one architecture. */
export function airGapProblem(file: string, settings: DownloadSettings): string | undefined {
  if (settings.runtime.type === "package")
    return "cannot contain the packages that runtime type 'package' installs; use 'tarball' or 'preinstalled'";
  let archive: AirGapArchive;
  try {
    archive = readAirGap(file);
  } catch (error) {
    return `${(error as Error).message}; make it on a machine with internet access: npm run air-gap -- stacks/Pulumi.<stack>.yaml`;
  }
  const missing = fewestOfArchitectures((architecture) =>
    downloadsOf(settings, architecture)
      .flatMap((download) => pathsOf(download).map((path) => airGapPath(download, path)))
      .filter((path) => !archive.files.has(path)),
  );
  return missing.length > 0
    ? `lacks ${missing.join(", ")}; make it again: npm run air-gap -- stacks/Pulumi.<stack>.yaml`
    : undefined;
}

/** Checks the archives of all pools. A problem is reported once, at the setting that names the archive. */
export function airGapChecks(environment: Environment, pools: readonly PlacedPool[]): Check[] {
  const checks = pools.map(({ at, pool }): Check => {
    const file = pool.airGap ?? environment.airGap;
    const runtime = pool.runtime ?? environment.runtime;
    const kubernetesVersions = kubernetesVersionsOf(environment.kubernetesVersion, pool);
    const problem =
      file === undefined ? undefined : airGapProblem(file, { ...environment, runtime, kubernetesVersions });
    return [pool.airGap === undefined ? "airGap" : below(at, "airGap"), problem, file];
  });
  return [...new Map(checks.map((check) => [check.join(), check])).values()];
}
