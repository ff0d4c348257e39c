/** The files that a worker downloads, and how each one is verified. */
import { type Architecture, ARCHITECTURES, releaseFiles } from "../runtime/releases";
import { checksumsOf } from "./checksums";
import type { Environment } from "../spec/bootstrapSchema";

/** The settings that decide what workers download. */
export interface DownloadSettings extends Pick<Environment, "checksums" | "downloadUrl" | "kubeProxy" | "runtime"> {
  readonly kubernetesVersions: readonly string[];
}

/** What can have a version of its own. */
interface Versioned {
  readonly kubernetesVersion?: string;
}

/** The versions that the workers of a pool use. A pool without workers has its own. */
export function kubernetesVersionsOf(
  kubernetesVersion: string,
  pool: Versioned & { readonly workers: readonly Versioned[] },
): string[] {
  const ofPool = pool.kubernetesVersion ?? kubernetesVersion;
  const versions = pool.workers.map((worker) => worker.kubernetesVersion ?? ofPool);
  return versions.length > 0 ? [...new Set(versions)] : [ofPool];
}

/** A site that downloads come from: one for the Kubernetes binaries, one for the releases of the container runtime. */
export type Site = "kubernetes" | "releases";

/** The base URL of each site, without a slash at the end. Only a runtime of type `tarball` downloads releases. */
export function siteUrls({ downloadUrl, runtime }: Pick<DownloadSettings, "downloadUrl" | "runtime">): {
  readonly kubernetes: string;
  readonly releases?: string;
} {
  const bare = (url: string) => url.replace(/\/+$/, "");
  return { kubernetes: bare(downloadUrl), ...(runtime.type === "tarball" && { releases: bare(runtime.downloadUrl) }) };
}

/** A file to download. */
export interface Download {
  readonly site: Site;
  /** Path below the site's URL. */
  readonly path: string;
  /** The file's SHA-256, or the path of a checksum file on the same site. */
  readonly verifiedBy: { readonly sha256: string } | { readonly sums: string };
}

/** The paths of a download: the file, and its checksum file if it has one. */
export const pathsOf = ({ path, verifiedBy }: Download): string[] => [
  path,
  ...("sums" in verifiedBy ? [verifiedBy.sums] : []),
];

/** The Kubernetes binaries that a worker needs. */
export const binaryNames = ({ mode }: DownloadSettings["kubeProxy"]): string[] => [
  "kubelet",
  "kubectl",
  ...(mode === "unit" ? ["kube-proxy"] : []),
];

/** The path of a Kubernetes binary below `downloadUrl`, as on dl.k8s.io. */
export const binaryPath = (version: string, architecture: Architecture, name: string): string =>
  `v${version}/bin/linux/${architecture}/${name}`;

/** The shortest of the lists that the architectures give, such as of missing files. It is empty when one architecture has everything. */
export const fewestOfArchitectures = <T>(list: (architecture: Architecture) => T[]): T[] =>
  ARCHITECTURES.map(list).sort((one, other) => one.length - other.length)[0];

/** The files that workers of an architecture download. */
export function downloadsOf(
  { kubernetesVersions, kubeProxy, runtime, checksums }: DownloadSettings,
  architecture: Architecture,
): Download[] {
  const pinned = checksumsOf(checksums);
  const binaries = kubernetesVersions.flatMap((version) =>
    binaryNames(kubeProxy).map((name): Download => {
      const path = binaryPath(version, architecture, name);
      const sha256 = pinned.get(path);
      return { site: "kubernetes", path, verifiedBy: sha256 ? { sha256 } : { sums: `${path}.sha256` } };
    }),
  );
  if (runtime.type !== "tarball") return binaries;
  const releases = Object.values(releaseFiles(runtime, architecture)).map(({ path, sums, sha256 }): Download => {
    const known = sha256[architecture];
    return { site: "releases", path, verifiedBy: known ? { sha256: known } : { sums } };
  });
  return [...binaries, ...releases];
}
