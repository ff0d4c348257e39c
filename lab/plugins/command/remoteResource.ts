import { createRequire } from "node:module";
import type { Client } from "ssh2";
import { diffProps } from "../diff";
import { PluginError } from "../errors";
import { asSecret, isObject, plain, reveal, Unknown, type Props, type Value } from "../values";
import type * as api from "../provider";
import type { Connection } from "./ssh";

const connectionDefaults = { dialErrorLimit: 10, perDialTimeout: 15, port: 22, user: "root" };
const connectionKeys = new Set([
  ...Object.keys(connectionDefaults),
  "agentSocketPath",
  "host",
  "hostKey",
  "password",
  "privateKey",
  "privateKeyPassword",
  "proxy",
]);

/** Loaded at the first connection, since a preview needs none. */
export const ssh = () => createRequire(__filename)("./ssh") as typeof import("./ssh");

/** What the resources of this package share: the connection, and that nothing of them can be read back. */
export abstract class RemoteResource implements api.Provider {
  constructor(protected readonly host: api.ProviderHost) {}

  abstract create(request: api.CreateRequest): Promise<api.Created>;
  abstract update(request: api.UpdateRequest): Promise<{ outputs: Props }>;
  abstract delete(request: api.ExistingRequest): Promise<void>;

  /** What is wrong with the inputs besides the connection. */
  protected abstract failures(news: Props): api.CheckFailure[];

  check({ news }: api.CheckRequest) {
    const connection = news.connection;
    const failures = [
      ...(connection === undefined ? [required("connection")] : checkConnection(connection)),
      ...this.failures(news),
    ];
    const inputs = failures.length > 0 ? news : { ...news, connection: asSecret(withDefaults(connection)) };
    return Promise.resolve({ inputs, failures });
  }

  /** An element of `triggers` that changes replaces by an option that the SDK sets. */
  diff({ oldInputs, newInputs, oldOutputs, ignoreChanges }: api.DiffRequest): Promise<api.Diff> {
    const ignored = ignoreChanges.filter((key) => key in oldOutputs).map((key) => [key, oldOutputs[key]] as const);
    const keys = diffProps(oldInputs, { ...newInputs, ...Object.fromEntries(ignored) });
    if (keys.triggers) keys.triggers.replace = true;
    return Promise.resolve({ keys });
  }

  /** Drift is invisible. */
  read({ id, inputs, outputs, type }: api.ExistingRequest): Promise<api.Existing> {
    if (Object.keys(outputs).length === 0) throw new PluginError(`the stand-in plugin cannot import a ${type}`);
    return Promise.resolve({ id, inputs, outputs });
  }

  /** `timeout`, in seconds, bounds the dialing only. A cancelled operation also ends what runs over the connection. */
  protected async connected<T>(
    { urn, timeout }: { urn: string; timeout?: number },
    { connection }: Props,
    use: (client: Client, status: (message: string) => void) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.host;
    const status = (message: string): void => this.host.status(urn, message);
    const late = timeout === undefined ? undefined : AbortSignal.timeout(timeout * 1000);
    const dialing = { onRetry: status, signal: late ? AbortSignal.any([signal, late]) : signal };
    const clients = await ssh()
      .dial(plain(connection ?? {}) as unknown as Connection, dialing)
      .catch((error: unknown) => {
        throw late?.aborted ? new PluginError("context deadline exceeded") : error;
      });
    const cut = (): void => clients.forEach((client) => client.destroy());
    signal.addEventListener("abort", cut);
    try {
      return await use(clients[0], status);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", cut);
      clients.forEach((client) => client.end());
    }
  }
}

export function required(property: string): api.CheckFailure {
  return { property, reason: `missing required property '${property}'` };
}

export function mustBe(property: string, what: string): api.CheckFailure {
  return { property, reason: `must be ${what}` };
}

/** Failures name keys, never values: a private key is among them. */
function checkConnection(value: Value, path = "connection"): api.CheckFailure[] {
  const connection = reveal(value);
  if (connection instanceof Unknown) return [];
  if (!isObject(connection)) return [mustBe(path, "an object")];
  const failures = Object.keys(connection)
    .filter((key) => !connectionKeys.has(key))
    .map((key): api.CheckFailure => ({ property: path, reason: `unknown property '${key}'` }));
  if (connection.host === undefined) failures.push(required(`${path}.host`));
  const proxy = connection.proxy;
  return [...failures, ...(proxy === undefined || proxy === null ? [] : checkConnection(proxy, `${path}.proxy`))];
}

function withDefaults(value: Value | undefined): Value {
  const connection = reveal(value);
  if (!isObject(connection)) return connection;
  const proxy = connection.proxy;
  return { ...connectionDefaults, ...connection, ...(isObject(reveal(proxy)) ? { proxy: withDefaults(proxy) } : {}) };
}
