/**
 * The container runtime of a worker, as settings and components describe it: the interfaces carry the documentation, the schema checks that
 * values have that shape and keep to the rules.
 */
import { z } from "zod";
import { by, byUnseen } from "../validation/strings";
import * as rules from "../validation/rules";

/** What is installed from a release, or which version of a package. */
export interface ReleaseSpec {
  /**
   * Version of the release, without a leading `v`; of the package, as its distribution writes it.
   * @default with `tarball`, see {@link RELEASES}; with `package`, whatever the distribution has, and it is never upgraded by a later update
   */
  readonly version?: string;
  /**
   * With `tarball`: SHA-256 of the file, by architecture.
   * @default for the default version, as published by the project; for another, the checksum file beside it, which protects from damage
   * only: it comes from the same server
   */
  readonly sha256?: Readonly<Partial<Record<Architecture, string>>>;
}

/** Settings of containerd itself. */
export interface ContainerdSpec extends ReleaseSpec {
  /**
   * Image of the container that holds a pod's namespaces.
   * @default "registry.k8s.io/pause:3.10.1"
   */
  readonly sandboxImage?: string;
  /**
   * By registry (`docker.io`, or `_default` for all): base URLs that are tried in this order before the registry itself.
   * @default {}
   */
  readonly registryMirrors?: Readonly<Record<string, readonly string[]>>;
  /** Any settings of containerd's config.toml, over those of this module. Maps are merged, lists replaced. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Where a worker's container runtime comes from. */
export interface RuntimeSpec {
  /**
   * - `preinstalled`: containerd is on the host, and is left as it is unless `containerd` says something.
   * - `package`: by apt or dnf, from the repositories that the host knows.
   * - `tarball`: releases of containerd, runc and the CNI plugins, from `downloadUrl`.
   */
  readonly type: "preinstalled" | "package" | "tarball";
  /**
   * With `tarball`: base URL of `/<owner>/<repository>/releases/download/…`.
   * @default "https://github.com"
   */
  readonly downloadUrl?: string;
  readonly containerd?: ContainerdSpec;
  /** With `tarball`. */
  readonly runc?: ReleaseSpec;
  /** With `tarball`. */
  readonly cniPlugins?: ReleaseSpec;
}

/** The default: nothing is put on a host that its owner has not asked for. */
export const PREINSTALLED: RuntimeSpec = { type: "preinstalled" };

export const ARCHITECTURES = ["amd64", "arm64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** What `tarball` installs unless told otherwise, with the checksums that the projects publish with these releases. */
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
} as const satisfies Record<string, Required<ReleaseSpec>>;

/** The version that a spec asks for, and the checksums that are known of it. */
export function releaseOf(name: keyof typeof RELEASES, spec: ReleaseSpec = {}): Required<ReleaseSpec> {
  const { version, sha256 }: Required<ReleaseSpec> = RELEASES[name];
  const wanted = spec.version ?? version;
  return { version: wanted, sha256: spec.sha256 ?? (wanted === version ? sha256 : {}) };
}

/** A release's file below `downloadUrl`, and the file with its checksum there. */
export interface ReleaseFile extends Required<ReleaseSpec> {
  readonly path: string;
  readonly sums: string;
}

/** The files of a runtime of type `tarball`; the architecture may be a placeholder. */
export function releaseFiles(runtime: RuntimeSpec, architecture: string): Record<keyof typeof RELEASES, ReleaseFile> {
  const of = (
    name: keyof typeof RELEASES,
    repository: string,
    fileOf: (version: string) => string,
    sumsOf: (file: string) => string,
  ): ReleaseFile => {
    const release = releaseOf(name, runtime[name]);
    const at = (file: string) => `${repository}/releases/download/v${release.version}/${file}`;
    const file = fileOf(release.version);
    return { ...release, path: at(file), sums: at(sumsOf(file)) };
  };
  return {
    containerd: of(
      "containerd",
      "containerd/containerd",
      (version) => `containerd-${version}-linux-${architecture}.tar.gz`,
      (file) => `${file}.sha256sum`,
    ),
    runc: of(
      "runc",
      "opencontainers/runc",
      () => `runc.${architecture}`,
      () => "runc.sha256sum",
    ),
    cniPlugins: of(
      "cniPlugins",
      "containernetworking/plugins",
      (version) => `cni-plugins-linux-${architecture}-v${version}.tgz`,
      (file) => `${file}.sha256`,
    ),
  };
}

/** Whether this module writes containerd's settings. */
export const configuresContainerd = ({ type, containerd }: RuntimeSpec): boolean =>
  type !== "preinstalled" || containerd !== undefined;

const sha256 = z.partialRecord(z.enum(ARCHITECTURES), by(rules.sha256)).optional();

const release = z.strictObject({ version: by(rules.releaseVersion).optional(), sha256 });

const containerd = {
  sandboxImage: by(rules.image).optional(),
  registryMirrors: z.record(by(rules.registry), z.array(byUnseen(rules.downloadUrl)).min(1)).optional(),
  config: z.record(z.string(), z.unknown()).optional(),
};

export const runtime = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("preinstalled"), containerd: z.strictObject(containerd).optional() }),
    z.strictObject({
      type: z.literal("package"),
      containerd: z.strictObject({ version: by(rules.packageVersion).optional(), ...containerd }).optional(),
    }),
    z.strictObject({
      type: z.literal("tarball"),
      downloadUrl: by(rules.downloadUrl).optional(),
      containerd: z.strictObject({ ...release.shape, ...containerd }).optional(),
      runc: release.optional(),
      cniPlugins: release.optional(),
    }),
  ],
  { error: ({ code }) => (code === "invalid_union" ? "must be preinstalled, package or tarball" : undefined) },
) satisfies z.ZodType<RuntimeSpec>;

/** A proxy for what a worker downloads and for the images that containerd pulls; nothing else goes through it. */
export interface ProxySpec {
  /** For http:// addresses. */
  readonly http?: string;
  /** For https:// addresses. */
  readonly https?: string;
  /** Host names, domains, addresses and networks that are reached directly. */
  readonly no?: readonly string[];
}

export const proxy = z.strictObject({
  http: byUnseen(rules.proxyUrl).optional(),
  https: byUnseen(rules.proxyUrl).optional(),
  no: z.array(by(rules.proxyException)).optional(),
}) satisfies z.ZodType<ProxySpec>;
