import { createRequire } from "node:module";
import type { Dispatcher } from "undici";
import { messageOf } from "../../host/labError";
import { PluginError } from "../pluginError";
import { ApiError, NoMatchError, UnreachableError } from "./apiErrors";
import { readKubeconfig, type ClusterAccess } from "./clusterAccess";
import type { KubeObject } from "./kubeObject";

/** Loaded at the first request, because loading takes 0.1 s. */
const undici = () => createRequire(__filename)("undici") as typeof import("undici");

export type Query = Record<string, string>;

/** A kind that the API server serves. `name` is its name in URLs, such as `configmaps`. */
interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

const TIMEOUT_MS = 30_000;

/** A REST client that returns objects exactly as the API server sends them. */
export class KubeClient {
  private selected: ClusterAccess | undefined;
  private dispatcher: Dispatcher | undefined;
  private readonly discovered = new Map<string, Promise<ApiResource[]>>();

  constructor(private readonly kubeconfig: string | undefined) {}

  get cluster(): ClusterAccess {
    try {
      if (this.kubeconfig === undefined) throw new PluginError("the stand-in plugin needs the provider's `kubeconfig`");
      return (this.selected ??= readKubeconfig(this.kubeconfig));
    } catch (error) {
      throw new UnreachableError(`failed to parse kubeconfig data: ${messageOf(error)}`);
    }
  }

  async get(object: KubeObject): Promise<KubeObject> {
    return this.call("GET", await this.path(object, object.metadata?.name));
  }

  async create(object: KubeObject, query: Query): Promise<KubeObject> {
    return this.call("POST", await this.path(object), query, "application/json", object);
  }

  async apply(object: KubeObject, query: Query): Promise<KubeObject> {
    const path = await this.path(object, object.metadata?.name);
    return this.call("PATCH", path, query, "application/apply-patch+yaml", object);
  }

  async patch(object: KubeObject, operations: object[]): Promise<KubeObject> {
    const path = await this.path(object, object.metadata?.name);
    return this.call("PATCH", path, {}, "application/json-patch+json", operations);
  }

  async delete(object: KubeObject): Promise<void> {
    const path = await this.path(object, object.metadata?.name);
    await this.call("DELETE", path, {}, "application/json", { propagationPolicy: "Foreground" });
  }

  /** Looks a kind up. Undefined when the API server does not know it. */
  async resource({ apiVersion = "v1", kind }: KubeObject): Promise<ApiResource | undefined> {
    const known = this.discovered.get(apiVersion) ?? this.discover(apiVersion);
    this.discovered.set(apiVersion, known);
    const found = await known.then(
      (resources) => resources.find((item) => item.kind === kind && !item.name.includes("/")),
      (error: unknown) => {
        this.discovered.delete(apiVersion);
        throw error;
      },
    );
    // Ask again next time, because this operation may create the kind's CustomResourceDefinition.
    if (!found) this.discovered.delete(apiVersion);
    return found;
  }

  private async discover(apiVersion: string): Promise<ApiResource[]> {
    try {
      return (await this.call("GET", rootOf(apiVersion))).resources as ApiResource[];
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return [];
      throw error;
    }
  }

  private async path(object: KubeObject, name?: string): Promise<string> {
    const { apiVersion = "v1", kind, metadata } = object;
    const resource = await this.resource(object);
    if (!resource) throw new NoMatchError(`no matches for kind "${kind}" in version "${apiVersion}"`);
    const namespace = resource.namespaced ? `/namespaces/${metadata?.namespace ?? "default"}` : "";
    const item = name === undefined ? "" : `/${encodeURIComponent(name)}`;
    return `${rootOf(apiVersion)}${namespace}/${resource.name}${item}`;
  }

  private async call(
    method: "GET" | "POST" | "PATCH" | "DELETE",
    path: string,
    query: Query = {},
    contentType?: string,
    body?: object,
  ): Promise<KubeObject> {
    const { server, tls, token } = this.cluster;
    const { Agent, request } = undici();
    this.dispatcher ??= new Agent({
      connections: 16,
      connect: tls,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const headers = {
      accept: "application/json",
      ...(contentType && { "content-type": contentType }),
      ...(token && { authorization: `Bearer ${token}` }),
    };
    const options = { dispatcher: this.dispatcher, method, query, headers, body: body && JSON.stringify(body) };
    const { statusCode, text } = await request(server + path, options)
      .then(async (response) => ({ statusCode: response.statusCode, text: await response.body.text() }))
      .catch((error: unknown) => {
        throw new UnreachableError(`cannot reach the API server ${server}: ${messageOf(error)}`);
      });
    if (statusCode < 400) return JSON.parse(text) as KubeObject;
    const { reason = "", message = text.trim() || `HTTP ${statusCode}` } = text.startsWith("{")
      ? (JSON.parse(text) as { reason?: string; message?: string })
      : {};
    throw new ApiError(statusCode, reason, message);
  }
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}
