import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { PluginError, messageOf } from "../errors";
import { isRecord } from "../../system/isRecord";
import { endpointOf, selectFrom, type ClusterSettings } from "./kubeconfig";
import { apiVersionOf, kindOf, type KubeObject } from "./object";

/** What the API server answers when it refuses. */
export class ApiError extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** No answer at all. */
export class UnreachableError extends PluginError {}

export type Query = Record<string, string | undefined>;

export interface ApiResource {
  plural: string;
  namespaced: boolean;
}

const patchTypes = {
  apply: "application/apply-patch+yaml",
  json: "application/json-patch+json",
} as const;

/** A plain REST client: the provider needs objects exactly as the server gives them. */
export class KubeClient {
  private selected: ReturnType<typeof selectFrom> | undefined;
  private endpoint: ReturnType<KubeClient["connect"]> | undefined;
  private readonly discovered = new Map<string, Promise<Map<string, ApiResource>>>();

  constructor(private readonly settings: ClusterSettings) {}

  /** Namespace of the kubeconfig's context. */
  defaultNamespace(): string {
    return this.select().namespace ?? "default";
  }

  private select() {
    try {
      return (this.selected ??= selectFrom(this.settings));
    } catch (error) {
      throw new UnreachableError(`failed to parse kubeconfig data: ${messageOf(error)}`);
    }
  }

  async get(object: KubeObject, name: string): Promise<KubeObject> {
    return this.call("GET", await this.path(object, name), {});
  }

  async create(object: KubeObject, query: Query): Promise<KubeObject> {
    return this.call("POST", await this.path(object), query, "application/json", object);
  }

  async patch(type: keyof typeof patchTypes, object: KubeObject, name: string, body: unknown, query: Query) {
    return this.call("PATCH", await this.path(object, name), query, patchTypes[type], body);
  }

  async delete(object: KubeObject, name: string, propagationPolicy: string): Promise<void> {
    await this.call("DELETE", await this.path(object, name), {}, "application/json", { propagationPolicy });
  }

  /** What the server serves under an API version; undefined: it does not know the kind. */
  async resource(apiVersion: string, kind: string): Promise<ApiResource | undefined> {
    const known = this.discovered.get(apiVersion) ?? this.discover(apiVersion);
    this.discovered.set(apiVersion, known);
    const found = (await known).get(kind);
    // A kind that is missing may come with a definition that is created in this very operation.
    if (!found) this.discovered.delete(apiVersion);
    return found;
  }

  private async discover(apiVersion: string): Promise<Map<string, ApiResource>> {
    try {
      const list = await this.call("GET", apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`, {});
      const resources = Array.isArray(list.resources) ? list.resources.filter(isRecord) : [];
      return new Map(
        resources
          .filter(({ name }) => !String(name).includes("/"))
          .map(({ name, kind, namespaced }) => [
            String(kind),
            { plural: String(name), namespaced: namespaced === true },
          ]),
      );
    } catch (error) {
      this.discovered.delete(apiVersion);
      if (error instanceof ApiError && error.code === 404) return new Map();
      throw error;
    }
  }

  private async path(object: KubeObject, name?: string): Promise<string> {
    const apiVersion = apiVersionOf(object);
    const resource = await this.resource(apiVersion, kindOf(object));
    if (!resource) throw new NoMatchError(apiVersion, kindOf(object));
    const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const namespace = resource.namespaced ? `/namespaces/${object.metadata?.namespace ?? "default"}` : "";
    return `${root}${namespace}/${resource.plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
  }

  private async call(method: string, path: string, query: Query, type?: string, body?: unknown): Promise<KubeObject> {
    const { server, headers: credentials, agent } = (this.endpoint ??= this.connect());
    const url = new URL(server + path);
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, value);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...credentials,
      accept: "application/json",
      ...(type ? { "content-type": type } : {}),
      // Node sends a DELETE's body without a length unless told to.
      ...(text === undefined ? {} : { "content-length": String(Buffer.byteLength(text)) }),
    };
    const answer = await send(url, { agent, method, headers }, text);
    const result = parse(answer.text);
    if (answer.status < 400) return result;
    const message = typeof result.message === "string" ? result.message : answer.text.trim() || `HTTP ${answer.status}`;
    throw new ApiError(answer.status, typeof result.reason === "string" ? result.reason : "", message);
  }

  private connect() {
    const { server, headers, tls } = endpointOf(this.select());
    const limits = { keepAlive: true, maxSockets: 16 };
    const agent = server.startsWith("http:") ? new HttpAgent(limits) : new Agent({ ...limits, ...tls });
    return { server, headers, agent };
  }
}

export class NoMatchError extends Error {
  constructor(apiVersion: string, kind: string) {
    super(`no matches for kind "${kind}" in version "${apiVersion}"`);
  }
}

function send(url: URL, options: RequestOptions, body: string | undefined): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(new UnreachableError(`cannot reach the API server ${url.origin}: ${describe(error)}`));
    };
    const request = url.protocol === "http:" ? httpRequest(url, options) : httpsRequest(url, options);
    request.setTimeout(30_000, () => request.destroy(new Error("no answer within 30 s")));
    request.on("error", fail);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", fail);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.end(body);
  });
}

function describe(error: Error & { code?: string }): string {
  const texts: Record<string, string> = {
    ECONNREFUSED: "connection refused",
    EHOSTUNREACH: "no route to host",
    ETIMEDOUT: "timed out",
    ENOTFOUND: "no such host",
  };
  return texts[error.code ?? ""] ?? (error.message || (error.code ?? "unknown error"));
}

function parse(text: string): KubeObject {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
