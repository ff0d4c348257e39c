import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { type ClusterEndpoint, endpointOf, renderKubeconfig } from "../components/cluster/kubeconfig";
import { type Check, refuse } from "../components/validation/refuse";
import * as rules from "../components/validation/rules";
import type { Settings } from "./settings";
import type { Access } from "./settingsSchema";

/** How to reach the cluster: as its workers do, and as its administrator does. */
export interface ClusterAccess extends ClusterEndpoint {
  /** Secret. */
  readonly kubeconfig: pulumi.Output<string>;
}

/** What a platform stack must export, and the rule of each output. */
const PLATFORM_OUTPUTS: Readonly<Record<keyof ClusterAccess, rules.Rule>> = {
  server: rules.apiServer,
  ca: rules.caCertificates,
  kubeconfig: () => undefined,
};

/**
 * Access to the cluster, from the settings themselves or from the platform stack that they name. It is a promise and no output, so that a
 * problem ends the program before anything is declared.
 * @throws pulumi.RunError when the platform stack exports too little, or the CA's file cannot be used
 */
export async function clusterAccess({ cluster, platform }: Settings): Promise<ClusterAccess> {
  return platform ? fromPlatform(platform) : fromSettings(cluster!);
}

async function fromPlatform(stack: string): Promise<ClusterAccess> {
  const platform = new pulumi.StackReference(stack);
  const read = async (name: string) => {
    const details: { value?: unknown; secretValue?: unknown } = await platform.getOutputDetails(name);
    return [name, details.value ?? details.secretValue] as const;
  };
  const outputs = Object.fromEntries(await Promise.all(Object.keys(PLATFORM_OUTPUTS).map(read)));
  refuse(
    `Platform stack '${stack}' cannot be used, since it must export ${Object.keys(PLATFORM_OUTPUTS).join(", ")}`,
    Object.entries(PLATFORM_OUTPUTS).map(([name, rule]): Check => {
      const value = outputs[name];
      return [`output ${name}`, typeof value === "string" ? rule(value) : "is missing, or is no text"];
    }),
  );
  const { server, ca, kubeconfig } = outputs as Record<keyof ClusterAccess, string>;
  return { server, ca, kubeconfig: pulumi.secret(kubeconfig) };
}

function fromSettings({ kubeconfig, caFile, token, clientCertificate, clientKey, ...given }: Access): ClusterAccess {
  const named: Partial<ClusterEndpoint> = kubeconfig ? endpointOf(kubeconfig) : {};
  const endpoint = {
    server: (given.server ?? named.server)!,
    ca: (caFile === undefined ? (given.ca ?? named.ca) : readCa(caFile))!,
  };
  const credentials = { token, clientCertificate, clientKey };
  return { ...endpoint, kubeconfig: pulumi.secret(kubeconfig ?? renderKubeconfig(endpoint, "pulumi", credentials)) };
}

function readCa(file: string): string {
  let text = "";
  let problem: string | undefined;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    problem = `cannot be read: ${(error as NodeJS.ErrnoException).code}`;
  }
  refuse("The cluster's CA cannot be used", [["cluster.caFile", problem ?? rules.caCertificates(text), file]]);
  return text;
}
