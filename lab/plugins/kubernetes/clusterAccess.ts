import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PluginError } from "../pluginError";

/** Address and credentials of an API server. */
export interface ClusterAccess {
  server: string;
  /** Namespace of objects that specify none. */
  namespace: string;
  token?: string;
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean; servername?: string };
}

interface Kubeconfig {
  "current-context"?: string;
  contexts?: { name: string; context: { cluster?: string; user?: string; namespace?: string } }[];
  clusters?: { name: string; cluster: Entry }[];
  users?: { name: string; user: Entry }[];
}
type Entry = Record<string, string | undefined>;

/** Entries of a kubeconfig that need a program or other files. */
const UNSUPPORTED_ENTRIES = [
  "as",
  "auth-provider",
  "certificate-authority",
  "client-certificate",
  "client-key",
  "exec",
  "proxy-url",
  "tokenFile",
  "username",
];

/**
 * Reads the current context of a kubeconfig.
 * @param kubeconfig path or text of the kubeconfig
 * @throws PluginError when it has no current cluster or an unsupported entry
 */
export function readKubeconfig(kubeconfig: string): ClusterAccess {
  const config = parse(existsSync(kubeconfig) ? readFileSync(kubeconfig, "utf8") : kubeconfig);
  const context = config.contexts?.find(({ name }) => name === config["current-context"])?.context;
  const cluster = config.clusters?.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users?.find(({ name }) => name === context?.user)?.user ?? {};
  if (!cluster?.server) throw new PluginError("the kubeconfig has no cluster for its current-context");
  const refused = UNSUPPORTED_ENTRIES.find((key) => cluster[key] ?? user[key]);
  if (refused) {
    throw new PluginError(
      `the stand-in plugin does not support ${refused} in a kubeconfig; use the output of: ` +
        "kubectl config view --raw --flatten --minify",
    );
  }
  const data = (text: string | undefined) => (text ? Buffer.from(text, "base64") : undefined);
  return {
    server: cluster.server.replace(/\/$/, ""),
    namespace: context?.namespace ?? "default",
    token: user.token,
    tls: {
      ca: data(cluster["certificate-authority-data"]),
      cert: data(user["client-certificate-data"]),
      key: data(user["client-key-data"]),
      rejectUnauthorized: !cluster["insecure-skip-tls-verify"],
      servername: cluster["tls-server-name"],
    },
  };
}

/** Parses YAML. For JSON it does not load the YAML parser, which takes time. */
function parse(content: string): Kubeconfig {
  if (content.trimStart().startsWith("{")) return JSON.parse(content) as Kubeconfig;
  const { parse: parseYaml } = createRequire(__filename)("yaml") as typeof import("yaml");
  return (parseYaml(content) ?? {}) as Kubeconfig;
}
