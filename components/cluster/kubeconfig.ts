import { parse, stringify } from "yaml";

/** URL and CA of an API server. */
export interface ClusterEndpoint {
  /** URL of the API server, `https://host:port`. */
  readonly server: string;
  /** PEM certificate(s) of the CA that signed the API server's certificate. */
  readonly ca: string;
}

/** URL of an API server, and a file on the host with its CA. A change of the file is a change for every kubeconfig that names it. */
export interface EndpointWithCaFile {
  readonly server: string;
  readonly caFile: string;
}

/** Credentials of a client: a token, a certificate, or none. */
export interface ClientCredentials {
  readonly token?: string;
  /** File with a token that changes, as in a pod. */
  readonly tokenFile?: string;
  /** PEM. */
  readonly clientCertificate?: string;
  /** PEM. */
  readonly clientKey?: string;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/**
 * A kubeconfig with one cluster, and with one user if `user` is given. Without a user it has the form of kube-public/cluster-info: one cluster with an empty name and
 * nothing else, as kubeadm's discovery requires.
 */
export function renderKubeconfig(
  cluster: ClusterEndpoint | EndpointWithCaFile,
  user?: string,
  credentials: ClientCredentials = {},
): string {
  const named = user ? "kubernetes" : "";
  const context = `${user}@${named}`;
  const authority =
    "caFile" in cluster
      ? { "certificate-authority": cluster.caFile }
      : { "certificate-authority-data": base64(cluster.ca) };
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: named, cluster: { server: cluster.server, ...authority } }],
      users: user ? [{ name: user, user: userEntry(credentials) }] : [],
      contexts: user ? [{ name: context, context: { cluster: named, user } }] : [],
      "current-context": user ? context : "",
    },
    { lineWidth: 0 },
  );
}

function userEntry({ token, tokenFile, clientCertificate, clientKey }: ClientCredentials) {
  return {
    ...(token && { token }),
    ...(tokenFile && { tokenFile }),
    ...(clientCertificate && { "client-certificate-data": base64(clientCertificate) }),
    ...(clientKey && { "client-key-data": base64(clientKey) }),
  };
}

interface Kubeconfig {
  clusters?: { name: string; cluster?: { server?: string; "certificate-authority-data"?: string } }[];
  contexts?: { name: string; context?: { cluster?: string } }[];
  "current-context"?: string;
}

/**
 * Server and CA of a kubeconfig's current context.
 * @throws Error that says what is missing, without the kubeconfig's content.
 */
export function endpointOf(kubeconfig: string): ClusterEndpoint {
  let config: Kubeconfig;
  try {
    config = parse(kubeconfig) as Kubeconfig;
  } catch {
    throw new Error("is not YAML");
  }
  const context = config?.contexts?.find((c) => c.name === config["current-context"]);
  if (!context) throw new Error("has no current context");
  const cluster = config.clusters?.find((c) => c.name === context.context?.cluster)?.cluster;
  if (!cluster?.server) throw new Error("names no server in its current context");
  const ca = cluster["certificate-authority-data"];
  if (!ca)
    throw new Error(
      "embeds no CA (certificate-authority-data) in its current context; kubectl config view --flatten embeds it",
    );
  return { server: cluster.server, ca: Buffer.from(ca, "base64").toString() };
}
