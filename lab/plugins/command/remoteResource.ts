import type { Client } from "ssh2";
import { diffProps } from "../diff";
import { resetPath } from "../paths";
import { asSecret, isObject, plain, reveal, Unknown, type Props, type Value } from "../values";
import type {
  CheckFailure,
  CheckRequest,
  Created,
  CreateRequest,
  Diff,
  DiffRequest,
  Existing,
  ExistingRequest,
  Provider,
  ProviderHost,
  UpdateRequest,
} from "../provider";
import { dial, type Connection } from "./ssh";

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

/** What the resources of this package share: the connection, and that nothing of them can be read back. */
export abstract class RemoteResource implements Provider {
  /** Property paths whose difference is none. */
  protected readonly indifferent: readonly string[] = [];

  constructor(protected readonly host: ProviderHost) {}

  abstract create(request: CreateRequest): Promise<Created>;
  abstract update(request: UpdateRequest): Promise<{ outputs: Props }>;
  abstract delete(request: ExistingRequest): Promise<void>;

  /** What is wrong with the inputs besides the connection. */
  protected abstract failures(news: Props): CheckFailure[];

  check({ news }: CheckRequest) {
    const connection = news.connection;
    const failures = [
      ...(connection === undefined ? [required("connection")] : checkConnection(connection)),
      ...this.failures(news),
    ];
    const inputs = failures.length > 0 ? news : { ...news, connection: asSecret(withDefaults(connection)) };
    return Promise.resolve({ inputs, failures });
  }

  diff({ oldInputs, newInputs, ignoreChanges }: DiffRequest): Promise<Diff> {
    const keys = diffProps(oldInputs, keepIgnored(newInputs, oldInputs, ignoreChanges));
    if (keys.triggers) keys.triggers.replace = true;
    for (const path of this.indifferent) delete keys[path];
    return Promise.resolve({ changes: Object.keys(keys).length > 0, keys });
  }

  /** Drift is invisible. */
  read({ id, inputs, outputs }: ExistingRequest): Promise<Existing> {
    return Promise.resolve({ id, inputs, outputs });
  }

  protected async connected<T>(
    urn: string,
    { connection }: Props,
    use: (client: Client, status: (message: string) => void) => Promise<T>,
  ): Promise<T> {
    const status = (message: string): void => this.host.status(urn, message);
    const clients = await dial(plain(connection ?? {}) as unknown as Connection, status);
    try {
      return await use(clients[0], status);
    } finally {
      clients.forEach((item) => item.end());
    }
  }
}

export function required(property: string): CheckFailure {
  return { property, reason: `missing required property '${property}'` };
}

export function mustBe(property: string, what: string): CheckFailure {
  return { property, reason: `must be ${what}` };
}

/** Only whole top-level properties can be ignored by this provider's own comparison; the engine does the rest. */
export function keepIgnored(news: Props, olds: Props, ignoreChanges: string[]): Props {
  return ignoreChanges.reduce<Props>((props, key) => {
    const kept = /^\w+$/.test(key) && key in olds ? resetPath(props, olds, [key]) : undefined;
    return isObject(kept) ? kept : props;
  }, news);
}

/** Failures name keys, never values: a private key is among them. */
function checkConnection(value: Value, path = "connection"): CheckFailure[] {
  const connection = reveal(value);
  if (connection instanceof Unknown) return [];
  if (!isObject(connection)) return [mustBe(path, "an object")];
  const failures = Object.keys(connection)
    .filter((key) => !connectionKeys.has(key))
    .map((key): CheckFailure => ({ property: path, reason: `unknown property '${key}'` }));
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
