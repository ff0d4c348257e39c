import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { mapValues } from "lodash";
import { Client, utils, type ClientChannel, type ConnectConfig, type ParsedKey, type SFTPWrapper } from "ssh2";
import { messageOf } from "../../host/labError";
import { PluginError } from "../pluginError";
import type { ProviderHost } from "../provider";
import type { Connection } from "./commandPlugin";

/**
 * A peer that has fallen silent is given up after 150 s, as by the published plugin, whose sockets have the defaults of Go's net.Dialer:
 * asked after 15 s, and nine times more every 15 s. Node's ask ten times, every second, so they begin later.
 */
const keepAliveInitialDelay = 140_000;

const retry = { firstMs: 100, factor: 1.5, maxMs: 5000 };

interface Request {
  urn: string;
  /** Seconds, from `customTimeouts`, for the dialing only. 0: no limit. */
  timeout: number;
}

/** Gives a connection to its user, and closes it. A cancelled operation ends the dialing and what runs over the connection. */
export async function withConnection<T>(
  connection: Connection,
  { signal, status }: ProviderHost,
  { urn, timeout }: Request,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const late = timeout ? AbortSignal.timeout(timeout * 1000) : undefined;
  const dialing = {
    signal: late ? AbortSignal.any([signal, late]) : signal,
    onRetry: (message: string) => status(urn, message),
  };
  const clients = await dial(connection, dialing).catch((error: unknown) => {
    throw late?.aborted ? new PluginError("context deadline exceeded") : error;
  });
  const cut = (): void => clients.forEach((client) => client.destroy());
  signal.addEventListener("abort", cut);
  try {
    return await use(clients[0]);
  } finally {
    signal.removeEventListener("abort", cut);
    clients.forEach((client) => client.end());
  }
}

interface Dialing {
  /** Ends all attempts, with its reason as the error. */
  signal: AbortSignal;
  /** Hears of every failed attempt that is tried again. */
  onRetry: (message: string) => void;
}

/** The first client is the host's, the second the proxy's. */
async function dial(connection: Connection, dialing: Dialing): Promise<Client[]> {
  const { host, port, proxy } = connection;
  if (!proxy) return [await retrying("Dial", connection, dialing)];
  const hop = await retrying("Dial proxy", proxy, dialing);
  const forward = () => answer<ClientChannel>((done) => hop.forwardOut("127.0.0.1", 0, host, port, done));
  try {
    return [await retrying("Dial", connection, dialing, forward), hop];
  } catch (error) {
    hop.end();
    throw error;
  }
}

/** Dials until it works or the limit is reached. */
async function retrying(
  what: string,
  connection: Connection,
  { signal, onRetry }: Dialing,
  forward?: () => Promise<Duplex>,
): Promise<Client> {
  const { host, port, dialErrorLimit } = connection;
  // Through a proxy, the connection to the host is the proxy's to watch.
  const open = forward ?? (() => openSocket({ host, port, keepAlive: true, keepAliveInitialDelay }));
  // Keys that cannot be read fail here, at once.
  const config = connectConfig(connection);
  for (let failures = 0; ; failures++) {
    try {
      return await connect({ ...config, sock: await open() }, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = messageOf(error).replace("Host denied (verification failed)", "host key mismatch");
      if (dialErrorLimit >= 0 && failures >= dialErrorLimit) {
        throw new PluginError(`after ${failures} failed attempts: dial tcp ${host}:${port}: ssh: ${reason}`);
      }
      onRetry(`${what} ${failures + 1}/${dialErrorLimit < 0 ? "inf" : dialErrorLimit} failed: retrying`);
    }
    await pause(Math.min(retry.firstMs * retry.factor ** failures, retry.maxMs), undefined, { signal });
  }
}

function connectConfig({ user: username, privateKey, hostKey, perDialTimeout }: Connection): ConnectConfig {
  if (privateKey !== undefined) parseKey("privateKey", privateKey);
  const expected = hostKey === undefined ? undefined : parseKey("hostKey", hostKey);
  return {
    username,
    privateKey,
    readyTimeout: perDialTimeout * 1000,
    // The key exchange proves the host before a word of authentication is sent; only the pinned type is negotiated.
    ...(expected && {
      algorithms: { serverHostKey: [expected.type] },
      hostVerifier: (key: Buffer) => key.equals(expected.getPublicSSH()),
    }),
  };
}

function parseKey(property: string, text: string): ParsedKey {
  const key = utils.parseKey(text);
  if (key instanceof Error) throw new PluginError(`connection.${property}: ssh: no key found: ${key.message}`);
  return key;
}

async function connect(config: ConnectConfig, signal: AbortSignal): Promise<Client> {
  const client = new Client();
  // A connection that breaks later ends its session; that is where it is told.
  client.on("error", () => {});
  const closed = once(client, "close").then(() => {
    throw new Error("the connection was closed");
  });
  try {
    client.connect(config);
    await Promise.race([once(client, "ready", { signal }), closed]);
    return client;
  } catch (error) {
    client.destroy();
    throw error;
  }
}

/** Runs one command in a session of its own. Gives its output without the last newline. */
export async function runCommand(client: Client, command: string, stdin = "", onLine?: (line: string) => void) {
  const channel = await answer<ClientChannel>((done) => client.exec(command, done));
  const output = { stdout: "", stderr: "" };
  let merged = "";
  const streams = { stdout: channel, stderr: channel.stderr };
  for (const name of ["stdout", "stderr"] as const) {
    streams[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
      merged += chunk;
    });
    if (onLine) createInterface({ input: streams[name] }).on("line", onLine);
  }
  channel.end(stdin);
  const [status, killedBy] = (await once(channel, "close")) as [number | null | undefined, string?];
  if (status !== 0) {
    const how = describeExit(status, killedBy);
    throw new PluginError(`${how}: running ${JSON.stringify(command)}:\n${merged}`);
  }
  return mapValues(output, (text) => text.replace(/\n$/, ""));
}

/** How a command has failed, in the words of the published plugin. */
function describeExit(status: number | null | undefined, killedBy: string | undefined): string {
  if (typeof status === "number") return `Process exited with status ${status}`;
  if (killedBy !== undefined) return `Process exited with status 1 from signal ${killedBy.replace(/^SIG/, "")}`;
  return "wait: remote command exited without exit status or exit signal";
}

/** Copies a file by SFTP, over what is there. */
export async function copyFile(client: Client, from: string, to: string): Promise<void> {
  const sftp = await answer<SFTPWrapper>((done) => client.sftp(done));
  await answer<void>((done) => sftp.fastPut(from, to, (error) => done(error ?? undefined))).catch((error: unknown) => {
    throw new PluginError(`failed to copy file ${from} to remote path ${to}: ${messageOf(error)}`);
  });
}

/** What a function with a callback calls back with. */
function answer<T>(ask: (done: (error: Error | undefined, value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => ask((error, value) => (error ? reject(error) : resolve(value))));
}
