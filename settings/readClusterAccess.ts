import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { certificatesIn } from "../components/cluster/caPins";
import { type ClusterEndpoint, endpointOf, renderKubeconfig } from "../components/cluster/kubeconfig";
import { skewChecks } from "../components/kubelet/versionSkew";
import type { CertificateAuthority } from "../components/spec/servingSchema";
import { refuse } from "../components/validation/refuse";
import * as rules from "../components/validation/rules";
import { checkPlatformOutputs, OUTPUT_NAMES } from "./platformOutputs";
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

/**
 * Reads the access to the cluster from the settings, or from the platform stack that they name. It returns a promise and not an output, so
 * a problem stops the program before anything is declared.
 * @throws pulumi.RunError when the outputs of the platform stack or `cluster.caFile` cannot be used, the CA is that of another cluster, or
 *   the kubelets do not fit the version of the platform stack's API servers.
 */
export async function readClusterAccess(settings: Settings): Promise<ClusterAccess> {
  const { cluster, platform, bootstrap } = settings;
  if (!platform) return fromSettings(cluster!);
  const access = await fromPlatform(settings.platformStack ?? new PlatformStack(platform));
  const source = `output kubernetesVersion of ${platform}`;
  settings.refuse(skewChecks({ version: access.kubernetesVersion, source }, bootstrap));
  return access;
}

async function fromPlatform(platform: PlatformStack): Promise<ClusterAccess> {
  const stack = platform.name;
  const read = async (name: string) => [name, await platform.output(name)] as const;
  const exported = Object.fromEntries(await Promise.all(OUTPUT_NAMES.map(read)));
  const outputs = checkPlatformOutputs(stack, exported);
  const { server, ca, kubeconfig, kubeletServingCa, kubeletClientCa, kubernetesVersion } = outputs;
  refuseForeignCa(`output ca of ${stack}`, outputs, kubeconfig);
  return {
    ...{ server, ca, kubeconfig: pulumi.secret(kubeconfig) },
    servingCa: kubeletServingCa && {
      certificate: kubeletServingCa.certificate,
      key: pulumi.secret(kubeletServingCa.key),
    },
    ...{ clientCa: kubeletClientCa, kubernetesVersion },
  };
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
  refuseForeignCa(caFile === undefined ? "cluster.ca" : "cluster.caFile", endpoint, written);
  return {
    ...endpoint,
    kubeconfig: pulumi.secret(written),
    clientCa: clientCaFile === undefined ? clientCa : readCa("clientCaFile", clientCaFile),
    kubernetesVersion,
  };
}

/**
 * Stops the program when workers would not trust the API server that Pulumi trusts. Where both reach it by the same URL, it shows both the same
 * certificate, so their CAs have a certificate in common, or one has issued the other.
 * @param where what gives the workers' CA.
 * @throws pulumi.RunError
 */
function refuseForeignCa(where: string, { server, ca }: ClusterEndpoint, kubeconfig: string): void {
  const trusted = endpointOf(kubeconfig);
  if (new URL(trusted.server).origin !== new URL(server).origin) return;
  const [ours, theirs] = [ca, trusted.ca].map(certificatesIn);
  const isRelated = ours.some((a) =>
    theirs.some((b) => a.fingerprint256 === b.fingerprint256 || a.checkIssued(b) || b.checkIssued(a)),
  );
  const problem = `has no certificate in common with the kubeconfig's CA for ${server}: kubelets would refuse that server. Keep the CA of its certificate, and add a new one beside it`;
  refuse("The CA of the cluster cannot be used", [[where, isRelated ? undefined : problem]]);
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
