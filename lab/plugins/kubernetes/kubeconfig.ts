import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { isRecord } from "../../system/isRecord";
import { PluginError } from "../errors";

type Entry = Record<string, unknown>;

/** The provider's own settings, which override those of a kubeconfig. */
export interface ClusterSettings {
  /** The path or the text of a kubeconfig; without it, the files of $KUBECONFIG or ~/.kube/config. */
  kubeconfig?: string;
  context?: string;
  cluster?: string;
}

interface Selected {
  cluster: Entry | undefined;
  user: Entry;
  namespace: string | undefined;
}

interface Loaded {
  config: Entry;
  /** Where relative paths of the config begin. */
  folder: string;
}

/** The cluster, the user and the namespace that a kubeconfig and the provider's settings select. */
export function selectFrom({ kubeconfig, context, cluster }: ClusterSettings): Selected {
  const files = load(kubeconfig);
  const find = (list: string, name: unknown, body: string): Entry | undefined => {
    for (const { config, folder } of files) {
      const items = Array.isArray(config[list]) ? config[list].filter(isRecord) : [];
      const found = items.find((item) => item.name === name)?.[body];
      if (isRecord(found)) return { ...found, folder };
    }
    return undefined;
  };
  const current = context ?? files.map(({ config }) => config["current-context"]).find(Boolean);
  const chosen = find("contexts", current, "context") ?? {};
  return {
    cluster: find("clusters", cluster ?? chosen.cluster, "cluster"),
    user: find("users", chosen.user, "user") ?? {},
    namespace: text(chosen, "namespace"),
  };
}

const loadYaml = () => createRequire(__filename)("yaml") as typeof import("yaml");

function load(kubeconfig: string | undefined): Loaded[] {
  if (kubeconfig !== undefined && !existsSync(kubeconfig)) return [{ config: parseConfig(kubeconfig), folder: "." }];
  const standard = (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
  const files = kubeconfig ? [kubeconfig] : standard.length > 0 ? standard : [join(homedir(), ".kube", "config")];
  return files
    .filter((file) => existsSync(file))
    .map((file) => ({ config: parseConfig(readFileSync(file, "utf8")), folder: dirname(file) }));
}

/** JSON is YAML too, and needs no parser that must be loaded. */
function parseConfig(content: string): Entry {
  const config: unknown = content.trimStart().startsWith("{") ? JSON.parse(content) : loadYaml().parse(content);
  if (!isRecord(config)) throw new PluginError("it holds no object");
  return config;
}

const unsupported = ["exec", "auth-provider", "as", "tokenFile", "proxy-url"];

/** Where the API server is, and how a request to it proves who asks. */
export function endpointOf({ cluster, user }: Selected) {
  const server = cluster && text(cluster, "server");
  if (!server) throw new PluginError("the kubeconfig names no cluster");
  for (const key of unsupported) {
    if (cluster[key] ?? user[key]) throw new PluginError(`the stand-in plugin does not support ${key} in a kubeconfig`);
  }
  const [token, name] = [text(user, "token"), text(user, "username")];
  const basic = name && `Basic ${Buffer.from(`${name}:${text(user, "password") ?? ""}`).toString("base64")}`;
  const authorization = token ? `Bearer ${token}` : basic;
  return {
    server: server.replace(/\/$/, ""),
    tls: {
      ca: data(cluster, "certificate-authority"),
      cert: data(user, "client-certificate"),
      key: data(user, "client-key"),
      rejectUnauthorized: cluster["insecure-skip-tls-verify"] !== true,
      servername: text(cluster, "tls-server-name"),
    },
    headers: authorization ? { authorization } : {},
  };
}

/** A file's content, which a kubeconfig holds itself or names by path. */
function data(entry: Entry, key: string): Buffer | undefined {
  const [inline, path] = [text(entry, `${key}-data`), text(entry, key)];
  if (inline) return Buffer.from(inline, "base64");
  return path ? readFileSync(resolve(String(entry.folder), path)) : undefined;
}

function text(entry: Entry, key: string): string | undefined {
  const value = entry[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}
