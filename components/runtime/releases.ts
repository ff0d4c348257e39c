/** The releases that a runtime of type `tarball` installs. */
import type { TarballRuntime } from "../spec/runtimeSchema";

export const ARCHITECTURES = ["amd64", "arm64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

type Checksums = Readonly<Partial<Record<Architecture, string>>>;

/** The default versions, with the checksums that the projects publish with their releases. */
export const RELEASES = {
  containerd: {
    version: "2.3.4",
    sha256: {
      amd64: "9d68969855fbf676cdb8ed758e420fb048d61f984f61de3e53eddfebe484d168",
      arm64: "a985fbb7e18fc0362d31a055338f5d7b0e087a3e27f14c70d1c5965399a29f95",
    },
  },
  runc: {
    version: "1.4.3",
    sha256: {
      amd64: "f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60",
      arm64: "633301e2e32f8a5ad54031aab4901eb00308bec677dd15faa2751e8f9dab5ca4",
    },
  },
  cniPlugins: {
    version: "1.9.1",
    sha256: {
      amd64: "b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303",
      arm64: "56171987d3947707c3563db2f4001bccaf50fd63468611b9f3cbecb1375ee7ec",
    },
  },
} as const satisfies Record<string, { version: string; sha256: Checksums }>;

type ReleaseName = keyof typeof RELEASES;

/** A file of a release. Both paths are below the runtime's `downloadUrl`. */
export interface ReleaseFile {
  readonly version: string;
  /** SHA-256 by architecture. An architecture that is missing has its checksum in the file `sums`. */
  readonly sha256: Checksums;
  readonly path: string;
  /** Path of the published checksum file. */
  readonly sums: string;
}

/**
 * The files that a runtime of type `tarball` installs.
 * @param architecture a part of the paths: an {@link Architecture}, or a placeholder that the host replaces.
 */
export function releaseFiles(runtime: TarballRuntime, architecture: string): Record<ReleaseName, ReleaseFile> {
  const file = (
    name: ReleaseName,
    repository: string,
    fileOf: (version: string) => string,
    sumsOf: (file: string) => string,
  ): ReleaseFile => {
    const { version, sha256 } = runtime[name];
    const known = version === RELEASES[name].version ? RELEASES[name].sha256 : {};
    const at = (path: string) => `${repository}/releases/download/v${version}/${path}`;
    const path = fileOf(version);
    return { version, sha256: sha256 ?? known, path: at(path), sums: at(sumsOf(path)) };
  };
  return {
    containerd: file(
      "containerd",
      "containerd/containerd",
      (version) => `containerd-${version}-linux-${architecture}.tar.gz`,
      (path) => `${path}.sha256sum`,
    ),
    runc: file(
      "runc",
      "opencontainers/runc",
      () => `runc.${architecture}`,
      () => "runc.sha256sum",
    ),
    cniPlugins: file(
      "cniPlugins",
      "containernetworking/plugins",
      (version) => `cni-plugins-linux-${architecture}-v${version}.tgz`,
      (path) => `${path}.sha256`,
    ),
  };
}
