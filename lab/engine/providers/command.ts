import { randomBytes } from "node:crypto";
import type { Client } from "ssh2";
import { diffProps } from "../diff";
import { resetPath } from "../paths";
import {
  asSecret,
  equal,
  hasUnknowns,
  isObject,
  plain,
  reveal,
  unknown,
  Unknown,
  type Props,
  type Value,
} from "../values";
import type {
  CheckFailure,
  CheckRequest,
  CreateRequest,
  Diff,
  DiffRequest,
  Existing,
  ExistingRequest,
  Package,
  Provider,
  ProviderHost,
  UpdateRequest,
} from "./provider";
import { copy, dial, run, type Connection } from "./ssh";

/** remote.Command and remote.CopyToRemote of @pulumi/command 1.2.1, over ssh2. */
const commandType = "command:remote:Command";
const copyType = "command:remote:CopyToRemote";

const texts = ["create", "update", "delete", "stdin", "logging"];
const logModes = ["stdout", "stderr", "stdoutAndStderr", "none"];
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

class CommandProvider implements Provider {
  constructor(private readonly host: ProviderHost) {}

  check({ type, news }: CheckRequest) {
    const connection = news.connection;
    const failures = connection === undefined ? [required("connection")] : checkConnection(connection);
    if (type === copyType) {
      for (const key of ["source", "remotePath"]) if (news[key] === undefined) failures.push(required(key));
    }
    for (const key of type === commandType ? texts : []) {
      const value = reveal(news[key]);
      if (value !== null && typeof value !== "string" && !(value instanceof Unknown))
        failures.push(mustBe(key, "a string"));
    }
    const logging = reveal(news.logging);
    if (typeof logging === "string" && !logModes.includes(logging)) {
      failures.push(mustBe("logging", `one of ${logModes.join(", ")}`));
    }
    const inputs = failures.length > 0 ? news : { ...news, connection: asSecret(withDefaults(connection)) };
    return Promise.resolve({ inputs, failures });
  }

  diff({ oldInputs, newInputs, ignoreChanges }: DiffRequest): Promise<Diff> {
    const inputs = keepIgnored(newInputs, oldInputs, ignoreChanges);
    const keys = diffProps(oldInputs, inputs);
    if (keys.triggers) keys.triggers.replace = true;
    delete keys["source.path"]; // the same file from elsewhere
    return Promise.resolve({ changes: Object.keys(keys).length > 0, keys });
  }

  async create({ urn, type, name, inputs, preview }: CreateRequest) {
    if (type === copyType) {
      if (!preview) await this.copy(urn, inputs);
      return { id: preview ? "" : randomBytes(4).toString("hex"), outputs: inputs };
    }
    const id = `${name}${randomBytes(4).toString("hex")}`;
    if (preview) return { id: "", outputs: { ...inputs, stdout: unknown, stderr: unknown } };
    const result = await this.perform(urn, inputs, "create", {});
    return { id, outputs: { ...inputs, ...(result ?? { stdout: "", stderr: "" }) } };
  }

  async update({ urn, type, inputs, oldInputs, oldOutputs, ignoreChanges, preview }: UpdateRequest) {
    const news = keepIgnored(inputs, oldInputs, ignoreChanges);
    if (type === copyType) {
      const isSame =
        equal(hashOf(news.source), hashOf(oldInputs.source)) &&
        equal(news.remotePath ?? null, oldInputs.remotePath ?? null);
      if (!preview && !isSame) await this.copy(urn, news);
      return { outputs: news };
    }
    const before: Props = { stdout: oldOutputs.stdout ?? "", stderr: oldOutputs.stderr ?? "" };
    if (preview) {
      // Every output depends on every input, so any change makes the outputs unknown.
      const changed = hasUnknowns(news) || !equal(oldInputs, news);
      return { outputs: { ...news, ...(changed ? { stdout: unknown, stderr: unknown } : before) } };
    }
    const which = news.update === undefined ? "create" : "update";
    return { outputs: { ...news, ...((await this.perform(urn, news, which, before)) ?? before) } };
  }

  /** A command leaves nothing to look at: drift is invisible. */
  read({ id, inputs, outputs }: ExistingRequest): Promise<Existing> {
    return Promise.resolve({ id, inputs, outputs });
  }

  async delete({ urn, type, outputs }: ExistingRequest): Promise<void> {
    if (type === copyType) return; // what was copied stays
    await this.perform(urn, outputs, "delete", outputs);
  }

  private perform(urn: string, props: Props, which: "create" | "update" | "delete", previous: Props) {
    const command = plain(props[which] ?? null);
    if (typeof command !== "string") return Promise.resolve(undefined);
    const stdin = plain(props.stdin ?? null);
    return this.connected(urn, props, (client, status) =>
      run(client, {
        command,
        ...(typeof stdin === "string" ? { stdin } : {}),
        environment: stringsOf(props.environment),
        optionalEnvironment: plain(props.addPreviousOutputInEnv ?? null) === false ? {} : previousOutput(previous),
        onOutput: liveLines(plain(props.logging ?? null), status),
        onWarning: (message) => this.host.log("warning", urn, message),
      }),
    );
  }

  private copy(urn: string, { connection, source, remotePath }: Props): Promise<void> {
    const { path } = plain(source ?? {}) as { path: string };
    return this.connected(urn, { connection: connection ?? null }, (client) =>
      copy(client, path, plain(remotePath ?? null) as string),
    );
  }

  private async connected<T>(
    urn: string,
    { connection }: Props,
    use: (client: Client, status: (message: string) => void) => Promise<T>,
  ): Promise<T> {
    const status = (message: string): void => this.host.status(urn, message);
    const clients = await dial(connectionOf(connection), status);
    try {
      return await use(clients[0], status);
    } finally {
      clients.forEach((item) => item.end());
    }
  }
}

function required(property: string): CheckFailure {
  return { property, reason: `missing required property '${property}'` };
}

function mustBe(property: string, what: string): CheckFailure {
  return { property, reason: `must be ${what}` };
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

/** Only whole top-level properties can be ignored by this provider's own comparison; the engine does the rest. */
function keepIgnored(news: Props, olds: Props, ignoreChanges: string[]): Props {
  return ignoreChanges.reduce<Props>((props, key) => {
    const kept = /^\w+$/.test(key) && key in olds ? resetPath(props, olds, [key]) : undefined;
    return isObject(kept) ? kept : props;
  }, news);
}

function hashOf(asset: Value | undefined): Value {
  const file = plain(asset ?? null);
  return isObject(file) ? (file.hash ?? null) : null;
}

function connectionOf(value: Value | undefined): Connection {
  return plain(value ?? {}) as unknown as Connection;
}

function stringsOf(value: Value | undefined): Record<string, string> {
  const object = plain(value ?? {});
  return isObject(object)
    ? Object.fromEntries(
        Object.entries(object).map(([key, item]) => [key, typeof item === "string" ? item : JSON.stringify(item)]),
      )
    : {};
}

function previousOutput(outputs: Props): Record<string, string> {
  const { stdout, stderr } = { stdout: plain(outputs.stdout ?? ""), stderr: plain(outputs.stderr ?? "") };
  return {
    ...(typeof stdout === "string" && stdout !== "" ? { PULUMI_COMMAND_STDOUT: stdout } : {}),
    ...(typeof stderr === "string" && stderr !== "" ? { PULUMI_COMMAND_STDERR: stderr } : {}),
  };
}

/** Passes output on line by line, unless `logging` says otherwise. */
function liveLines(logging: Value, status: (line: string) => void) {
  const wanted = {
    stdout: logging !== "stderr" && logging !== "none",
    stderr: logging !== "stdout" && logging !== "none",
  };
  const rest = { stdout: "", stderr: "" };
  return (stream: "stdout" | "stderr", chunk: string): void => {
    if (!wanted[stream]) return;
    const lines = (rest[stream] + chunk).split("\n");
    rest[stream] = lines.pop() ?? "";
    lines.forEach(status);
  };
}

export const command: Package = {
  types: (type) => type === commandType || type === copyType,
  describeTypes: [commandType, copyType],
  configure: (_inputs, host) => new CommandProvider(host),
};
