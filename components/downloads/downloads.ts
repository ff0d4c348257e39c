/** What a worker downloads, by architecture: which files, where they are, and how each is verified. */
import type { KubeProxySpec } from "../kubeProxy/kubeProxySpec";
import { type Architecture, releaseFiles, type RuntimeSpec } from "../runtime/runtimeSpec";

/** What decides about a worker's downloads. */
export interface DownloadsArgs {
  readonly kubernetesVersion: string;
  readonly kubeProxy?: KubeProxySpec;
  readonly runtime?: RuntimeSpec;
}

/** Where downloads come from: the Kubernetes binaries, and the runtime's releases. */
export type Site = "kubernetes" | "releases";

/** The base URL of each, without a slash at its end. */
export function siteUrls(settings: {
  readonly downloadUrl?: string;
  readonly runtime?: RuntimeSpec;
}): Record<Site, string> {
  const { downloadUrl = "https://dl.k8s.io", runtime } = settings;
  const bare = (url: string) => url.replace(/\/+$/, "");
  return { kubernetes: bare(downloadUrl), releases: bare(runtime?.downloadUrl ?? "https://github.com") };
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
export const binaryNames = (kubeProxy?: KubeProxySpec): string[] => [
  "kubelet",
  "kubectl",
  ...(kubeProxy?.mode === "unit" ? ["kube-proxy"] : []),
];

export function downloadsOf(
  { kubernetesVersion, kubeProxy, runtime }: DownloadsArgs,
  architecture: Architecture,
): Download[] {
  const binaries = binaryNames(kubeProxy).map((name): Download => {
    const path = `v${kubernetesVersion}/bin/linux/${architecture}/${name}`;
    return { site: "kubernetes", path, verifiedBy: { sums: `${path}.sha256` } };
  });
  if (runtime?.type !== "tarball") return binaries;
  const releases = Object.values(releaseFiles(runtime, architecture)).map(({ path, sums, sha256 }): Download => {
    const known = sha256[architecture];
    return { site: "releases", path, verifiedBy: known ? { sha256: known } : { sums } };
  });
  return [...binaries, ...releases];
}
