/** What a worker downloads, by architecture: which files, where they are, and how each is verified. */
import { type Architecture, releaseFiles } from "../runtime/releases";
import type { Environment } from "../spec/bootstrapSchema";

/** The settings that decide what a worker downloads. */
export type DownloadSettings = Pick<Environment, "kubernetesVersion" | "downloadUrl" | "kubeProxy" | "runtime">;

/** Where downloads come from: the Kubernetes binaries, and the runtime's releases. */
export type Site = "kubernetes" | "releases";

/** The base URL of each site, without a slash at its end. Only a runtime of type `tarball` has releases to download. */
export function siteUrls({ downloadUrl, runtime }: Pick<DownloadSettings, "downloadUrl" | "runtime">): {
  readonly kubernetes: string;
  readonly releases?: string;
} {
  const bare = (url: string) => url.replace(/\/+$/, "");
  return { kubernetes: bare(downloadUrl), ...(runtime.type === "tarball" && { releases: bare(runtime.downloadUrl) }) };
}

/** A file that is downloaded. */
export interface Download {
  readonly site: Site;
  /** Below the site's URL. */
  readonly path: string;
  /** Its SHA-256 where that is known, or else the path of the file that holds it. */
  readonly verifiedBy: { readonly sha256: string } | { readonly sums: string };
}

/** The paths of a download: of itself, and of the file with its checksum where there is one. */
export const pathsOf = ({ path, verifiedBy }: Download): string[] => [
  path,
  ...("sums" in verifiedBy ? [verifiedBy.sums] : []),
];

/** The programs of Kubernetes that a worker needs. */
export const binaryNames = ({ mode }: DownloadSettings["kubeProxy"]): string[] => [
  "kubelet",
  "kubectl",
  ...(mode === "unit" ? ["kube-proxy"] : []),
];

export function downloadsOf(
  { kubernetesVersion, kubeProxy, runtime }: DownloadSettings,
  architecture: Architecture,
): Download[] {
  const binaries = binaryNames(kubeProxy).map((name): Download => {
    const path = `v${kubernetesVersion}/bin/linux/${architecture}/${name}`;
    return { site: "kubernetes", path, verifiedBy: { sums: `${path}.sha256` } };
  });
  if (runtime.type !== "tarball") return binaries;
  const releases = Object.values(releaseFiles(runtime, architecture)).map(({ path, sums, sha256 }): Download => {
    const known = sha256[architecture];
    return { site: "releases", path, verifiedBy: known ? { sha256: known } : { sums } };
  });
  return [...binaries, ...releases];
}
