import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { type ClusterEndpoint, endpointOf, renderKubeconfig } from "../components/cluster/kubeconfig";
import { apiServerVersion } from "../components/kubelet/supportedVersions";
import { skewChecks } from "../components/kubelet/versionSkew";
import { type CertificateAuthority, certificateAuthority } from "../components/spec/servingSchema";
import { problemsOf, REQUIRED } from "../components/validation/problems";
import { type Check, refuse } from "../components/validation/refuse";
import * as rules from "../components/validation/rules";
import { PlatformStack } from "./platformStack";
import type { Settings } from "./settings";
import type { Access } from "./settingsSchema";

/** The API server as the workers reach it, and an administrator's kubeconfig. */
export interface ClusterAccess extends ClusterEndpoint {
  /** Secret: kubeconfig of an administrator, for the Kubernetes provider. */
  readonly kubeconfig: pulumi.Output<string>;
  /** The CA for kubelet serving certificates of a platform stack that has one. */
  readonly servingCa?: CertificateAuthority;
  /** See {@link ClusterSpec.clientCa}. */
  readonly clientCa?: string;
  /** The version of the API servers, when it is known. */
  readonly kubernetesVersion?: string;
}

/** The outputs that a platform stack must export, each with its rule. */
const PLATFORM_OUTPUTS: Readonly<Record<"server" | "ca" | "kubeconfig", rules.Rule>> = {
  server: rules.apiServer,
  ca: rules.caCertificates,
  kubeconfig: () => undefined,
};

/** The output that a platform stack may export: `{ certificate, key }`. */
const SERVING_CA_OUTPUT = "kubeletServingCa";

/** The output that a platform stack may export: the CA of the client certificate with which its API servers call kubelets. */
const CLIENT_CA_OUTPUT = "kubeletClientCa";

/** The output that a platform stack may export: the version of its API servers. */
const VERSION_OUTPUT = "kubernetesVersion";

/**
 * Reads the access to the cluster from the settings, or from the platform stack that they name. It returns a promise and not an output, so
 * a problem stops the program before anything is declared.
 * @throws pulumi.RunError when the platform stack lacks an output, `cluster.caFile` is not valid, or the kubelets do not fit the version
 *   of the platform stack's API servers.
 */
export async function readClusterAccess(settings: Settings): Promise<ClusterAccess> {
  const { cluster, platform, bootstrap } = settings;
  if (!platform) return fromSettings(cluster!);
  const access = await fromPlatform(settings.platformStack ?? new PlatformStack(platform));
  const source = `output ${VERSION_OUTPUT} of ${platform}`;
  settings.refuse(skewChecks({ version: access.kubernetesVersion, source }, bootstrap));
  return access;
}

async function fromPlatform(platform: PlatformStack): Promise<ClusterAccess> {
  const stack = platform.name;
  const read = async (name: string) => [name, await platform.output(name)] as const;
  const names = [...Object.keys(PLATFORM_OUTPUTS), SERVING_CA_OUTPUT, CLIENT_CA_OUTPUT, VERSION_OUTPUT];
  const {
    [SERVING_CA_OUTPUT]: authority,
    [CLIENT_CA_OUTPUT]: clientCa,
    [VERSION_OUTPUT]: version,
    ...outputs
  } = Object.fromEntries(await Promise.all(names.map(read)));
  refuse(
    `Platform stack '${stack}' must export ${Object.keys(PLATFORM_OUTPUTS).join(", ")}`,
    Object.entries(PLATFORM_OUTPUTS).map(([name, rule]): Check => {
      const value = outputs[name];
      return [`output ${name}`, typeof value === "string" ? rule(value) : "is missing, or is not text"];
    }),
  );
  const { server, ca, kubeconfig } = outputs as Record<keyof typeof PLATFORM_OUTPUTS, string>;
  return {
    ...{ server, ca, kubeconfig: pulumi.secret(kubeconfig) },
    servingCa: servingCaOf(stack, authority),
    clientCa: optionalText(
      `Platform stack '${stack}' has no usable client CA`,
      CLIENT_CA_OUTPUT,
      clientCa,
      rules.caCertificates,
    ),
    kubernetesVersion: optionalText(
      `Platform stack '${stack}' has no usable version of its API servers`,
      VERSION_OUTPUT,
      version,
      apiServerVersion,
    ),
  };
}

/** An output that may be missing. */
function optionalText(what: string, name: string, value: unknown, rule: rules.Rule): string | undefined {
  if (value === undefined) return undefined;
  refuse(what, [
    typeof value === "string" ? [`output ${name}`, rule(value), value] : [`output ${name}`, "is not text"],
  ]);
  return value as string;
}

function servingCaOf(stack: string, value: unknown): CertificateAuthority | undefined {
  if (value === undefined) return undefined;
  const { data, error } = certificateAuthority.safeParse(value, REQUIRED);
  refuse(
    `Platform stack '${stack}' has no usable CA for kubelets`,
    error ? problemsOf(error, `output ${SERVING_CA_OUTPUT}`) : [],
  );
  return data && { certificate: data.certificate, key: pulumi.secret(data.key) };
}

function fromSettings(access: Access): ClusterAccess {
  const { kubeconfig, caFile, token, clientCertificate, clientKey, kubernetesVersion, ...given } = access;
  const { clientCa, clientCaFile } = given;
  const fromKubeconfig: Partial<ClusterEndpoint> = kubeconfig ? endpointOf(kubeconfig) : {};
  const endpoint = {
    server: (given.server ?? fromKubeconfig.server)!,
    ca: (caFile === undefined ? (given.ca ?? fromKubeconfig.ca) : readCa("caFile", caFile))!,
  };
  const credentials = { token, clientCertificate, clientKey };
  const written = kubeconfig ?? renderKubeconfig(endpoint, "pulumi", credentials);
  return {
    ...endpoint,
    kubeconfig: pulumi.secret(written),
    clientCa: clientCaFile === undefined ? clientCa : readCa("clientCaFile", clientCaFile),
    kubernetesVersion,
  };
}

function readCa(key: string, file: string): string {
  let text = "";
  let problem: string | undefined;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    problem = `cannot be read: ${(error as NodeJS.ErrnoException).code}`;
  }
  refuse("The CA of the cluster cannot be used", [[`cluster.${key}`, problem ?? rules.caCertificates(text), file]]);
  return text;
}
