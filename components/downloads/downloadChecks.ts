/** Whether what workers download can be verified. */
import type { Environment } from "../spec/bootstrapSchema";
import type { PlacedPool } from "../spec/check";
import { below } from "../validation/problems";
import type { Check } from "../validation/refuse";
import { type Checksums, readChecksums } from "./checksums";
import {
  type Download,
  downloadsOf,
  type DownloadSettings,
  fewestOfArchitectures,
  kubernetesVersionsOf,
  siteUrls,
} from "./downloads";

const MAKE = "npm run checksums -- stacks/Pulumi.<stack>.yaml";

/** What is wrong with the checksums file of workers with these settings. Undefined when it has all binaries for one architecture. */
function checksumsProblem(file: string, settings: DownloadSettings): string | undefined {
  let checksums: Checksums;
  try {
    checksums = readChecksums(file);
  } catch (error) {
    return `${(error as Error).message}; write it: ${MAKE}`;
  }
  const lacks = ({ site, path }: Download) => site === "kubernetes" && !checksums.has(path);
  const missing = fewestOfArchitectures((architecture) =>
    downloadsOf(settings, architecture)
      .filter(lacks)
      .map(({ path }) => path),
  );
  return missing.length > 0 ? `lacks ${missing.join(", ")}; write it again: ${MAKE}` : undefined;
}

/** The settings whose URL is not encrypted, although a file below it has no checksum in the settings. */
function unencrypted(settings: DownloadSettings): ("downloadUrl" | "runtime.downloadUrl")[] {
  const urls = siteUrls(settings);
  const sites = fewestOfArchitectures((architecture) => {
    const unpinned = downloadsOf(settings, architecture).filter(({ verifiedBy }) => "sums" in verifiedBy);
    return [...new Set(unpinned.map(({ site }) => site))].filter((site) => urls[site]!.startsWith("http://"));
  });
  return sites.map((site) => (site === "kubernetes" ? "downloadUrl" : "runtime.downloadUrl"));
}

/** Checks the checksums of all pools. A problem is reported once, at its setting. */
export function checksumChecks(environment: Environment, pools: readonly PlacedPool[]): Check[] {
  const checks = pools.flatMap(({ at, pool }): Check[] => {
    const isDownloaded = (pool.airGap ?? environment.airGap) === undefined;
    const runtime = pool.runtime ?? environment.runtime;
    const kubernetesVersions = kubernetesVersionsOf(environment.kubernetesVersion, pool);
    const settings = { ...environment, runtime, kubernetesVersions };
    const { checksums } = environment;
    return [
      ["checksums", checksums === undefined ? undefined : checksumsProblem(checksums, settings), checksums],
      ...(isDownloaded ? unencrypted(settings) : []).map((key): Check =>
        key === "downloadUrl"
          ? [key, checksums === undefined ? `is not encrypted, so 'checksums' is required: ${MAKE}` : undefined]
          : [
              pool.runtime ? below(at, key) : key,
              "is not encrypted, so the sha256 of containerd, runc and cniPlugins is required",
            ],
      ),
    ];
  });
  return [...new Map(checks.map((check) => [check.join(), check])).values()];
}
