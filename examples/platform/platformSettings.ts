/** Reads the config of a stack, and reports all its problems with their config keys. */
import { isIPv4 } from "node:net";
import { allConfig } from "@pulumi/pulumi/runtime";
import { z } from "zod";
import { type Checksums, readChecksums } from "../../components/downloads/checksums";
import { binaryPath, fewestOfArchitectures } from "../../components/downloads/downloads";
import { kubernetesVersion } from "../../components/kubelet/supportedVersions";
import { type Architecture, ARCHITECTURES } from "../../components/runtime/releases";
import { sshSchema } from "../../components/spec/sshSchema";
import { problemsOf, REQUIRED } from "../../components/validation/problems";
import { refuse } from "../../components/validation/refuse";
import { ruledString } from "../../components/validation/ruledString";
import * as rules from "../../components/validation/rules";
import { COMPONENTS, httpsUrl, PORTS } from "./componentFlags";

const ipv4: rules.Rule = (value) => (isIPv4(value) ? undefined : "is not an IPv4 address");

/** The first address of the network must follow from its text. */
const serviceNetwork: rules.Rule = (value) =>
  rules.cidr(value) === undefined && /^[\d.]+\.0\/(1[2-9]|2[0-4])$/.test(value)
    ? undefined
    : "is not an IPv4 network such as 10.96.0.0/16, of /12 to /24";

const controllerSchema = z.strictObject({
  name: ruledString(rules.nodeName),
  address: ruledString(ipv4),
  hostKey: ruledString(rules.hostKey),
});
export type ControllerSettings = z.output<typeof controllerSchema>;

const flags = z.record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "is not a flag's name without --"), z.string());

const schema = z
  .strictObject({
    kubernetesVersion: ruledString(kubernetesVersion),
    etcdVersion: ruledString(rules.releaseVersion),
    checksums: z.string(),
    downloadUrl: ruledString(rules.downloadUrl),
    etcdDownloadUrl: ruledString(rules.downloadUrl),
    ssh: sshSchema,
    controllers: z
      .array(controllerSchema)
      .refine(({ length }) => length === 1 || length === 3, "must be one or three, because etcd needs a majority")
      .refine(areDifferent("name"), "two have the same name")
      .refine(areDifferent("address"), "two have the same address"),
    endpoint: ruledString(rules.apiServer).optional(),
    serviceNetwork: ruledString(serviceNetwork),
    podNetwork: ruledString(rules.cidr).optional(),
    flags: z.partialRecord(z.enum(COMPONENTS), flags),
  })
  .superRefine(({ checksums, endpoint, controllers, ...versions }, context) => {
    const report = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if (endpoint === undefined && controllers.length > 1)
      report(
        "endpoint",
        "is required with three controllers: the URL of a load balancer, or of a DNS name of all three",
      );
    const problem = checksumsProblem(checksums, versions);
    if (problem) report("checksums", `'${checksums}' ${problem}`);
  });

export interface PlatformSettings extends Omit<z.output<typeof schema>, "endpoint"> {
  /** URL of the API server for everybody else. */
  readonly endpoint: string;
}

function areDifferent(key: keyof ControllerSettings) {
  return (all: readonly ControllerSettings[]): boolean => new Set(all.map((one) => one[key])).size === all.length;
}

/** The Kubernetes binaries of a controller. */
export const BINARIES = COMPONENTS.filter((name) => name !== "etcd");

/** The path of an etcd release below `etcdDownloadUrl`, as on GitHub. */
export const etcdPath = (version: string, architecture: Architecture | "@ARCHITECTURE@"): string =>
  `v${version}/etcd-v${version}-linux-${architecture}.tar.gz`;

type Versions = Pick<PlatformSettings, "kubernetesVersion" | "etcdVersion">;

/** What is wrong with the checksums file. Undefined when it has all files of one architecture. */
function checksumsProblem(file: string, { kubernetesVersion: version, etcdVersion }: Versions): string | undefined {
  let checksums: Checksums;
  try {
    checksums = readChecksums(file);
  } catch (error) {
    return `${(error as Error).message}; the README says how to write it`;
  }
  const missing = fewestOfArchitectures((architecture) =>
    [...BINARIES.map((name) => binaryPath(version, architecture, name)), etcdPath(etcdVersion, architecture)].filter(
      (path) => !checksums.has(path),
    ),
  );
  return missing.length > 0 ? `lacks ${missing.join(", ")}; the README says how to write it` : undefined;
}

/** The checksums of the etcd release, `<architecture>:<checksum>`. */
export const etcdChecksums = ({ etcdVersion, checksums }: PlatformSettings): string[] =>
  ARCHITECTURES.flatMap((architecture) => {
    const sha256 = readChecksums(checksums).get(etcdPath(etcdVersion, architecture));
    return sha256 ? [`${architecture}:${sha256}`] : [];
  });

/**
 * Checks raw config values.
 * @param raw values by key, as Pulumi stores them: text, or JSON for lists and maps.
 * @throws pulumi.RunError with all problems, each at its config key.
 */
export function parsePlatformSettings(raw: Readonly<Record<string, string>>): PlatformSettings {
  const given = Object.fromEntries(
    Object.entries(raw).map(([key, text]) => [
      key,
      ["ssh", "controllers", "flags"].includes(key) ? (JSON.parse(text) as unknown) : text,
    ]),
  );
  const { data, error } = schema.safeParse(given, REQUIRED);
  refuse(
    "The configuration of this stack cannot be used",
    (error ? problemsOf(error, "") : []).map(([where, problem]) => [`platform:${where}`, problem]),
  );
  return { ...data!, endpoint: data!.endpoint ?? httpsUrl(data!.controllers[0].address, PORTS.apiServer) };
}

/** Reads the settings of the current stack. */
export function readPlatformSettings(): PlatformSettings {
  const ours = Object.entries(allConfig()).flatMap(([key, value]) =>
    key.startsWith("platform:") ? [[key.slice("platform:".length), value] as const] : [],
  );
  return parsePlatformSettings(Object.fromEntries(ours));
}
