/** The container runtime of a worker, and the HTTP proxy for downloads and images. */
import { z } from "zod";
import { ARCHITECTURES, RELEASES } from "../runtime/releases";
import * as rules from "../validation/rules";
import { hiddenString, ruledString } from "../validation/ruledString";

/** Without one, the host reads the checksum file beside the download, which comes from the same server. */
const sha256 = z
  .partialRecord(z.enum(ARCHITECTURES), ruledString(rules.sha256, { pattern: "^[0-9a-f]{64}$" }))
  .optional()
  .meta({ ts: "{ [architecture: string]: string }" })
  .describe(
    "SHA-256 of the file, by architecture. Default: for the default version, its published checksum; for another one, the checksum file beside the download.",
  );

const release = (name: keyof typeof RELEASES) => ({
  version: ruledString(rules.releaseVersion)
    .default(RELEASES[name].version)
    .describe("Version of the release, without a leading `v`."),
  sha256,
});

const containerd = {
  sandboxImage: ruledString(rules.image)
    .default("registry.k8s.io/pause:3.10.1")
    .describe("Image of the container that holds a pod's namespaces."),
  registryMirrors: z
    .record(ruledString(rules.registry), z.array(hiddenString(rules.downloadUrl)).min(1))
    .default({})
    .describe(
      "Base URLs of mirrors by registry (`docker.io`, or `_default` for all). containerd tries them in order, then the registry itself.",
    ),
  config: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Settings of containerd's config.toml that override this module's. Maps are merged, lists are replaced."),
};

const type = <T extends string>(value: T) =>
  z
    .literal(value)
    .describe(
      "Where containerd comes from. `preinstalled`: the host has it; it is left as it is unless `containerd` is given. `package`: apt or dnf install it. `tarball`: releases of containerd, runc and the CNI plugins.",
    );

export const runtimeSchema = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({
        type: type("preinstalled"),
        containerd: z.strictObject(containerd).optional().describe("Settings of containerd."),
      }),
      z.strictObject({
        type: type("package"),
        containerd: z
          .strictObject({
            version: ruledString(rules.packageVersion)
              .optional()
              .describe(
                "With `package`: version as the distribution writes it. Default: the distribution's newest; a later update never upgrades it.",
              ),
            ...containerd,
          })
          .prefault({}),
      }),
      z.strictObject({
        type: type("tarball"),
        downloadUrl: ruledString(rules.downloadUrl)
          .default("https://github.com")
          .describe("With `tarball`: base URL of `/<owner>/<repository>/releases/download/…`."),
        containerd: z.strictObject({ ...release("containerd"), ...containerd }).prefault({}),
        runc: z.strictObject(release("runc")).prefault({}).describe("With `tarball`: the release of runc."),
        cniPlugins: z
          .strictObject(release("cniPlugins"))
          .prefault({})
          .describe("With `tarball`: the release of the CNI plugins."),
      }),
    ],
    { error: ({ code }) => (code === "invalid_union" ? "must be preinstalled, package or tarball" : undefined) },
  )
  .meta({ id: "RuntimeSpec" });

export type Runtime = z.output<typeof runtimeSchema>;
export type TarballRuntime = Extract<Runtime, { type: "tarball" }>;
export type ContainerdSettings = NonNullable<Extract<Runtime, { type: "preinstalled" }>["containerd"]>;

export const proxySchema = z
  .strictObject({
    http: hiddenString(rules.proxyUrl).optional().describe("Proxy for `http://` addresses, without credentials."),
    https: hiddenString(rules.proxyUrl).optional().describe("Proxy for `https://` addresses, without credentials."),
    no: z
      .array(ruledString(rules.proxyException))
      .default([])
      .describe("Host names, domains, addresses and networks that are reached directly."),
  })
  .meta({ id: "ProxySpec" });

export type Proxy = z.output<typeof proxySchema>;
