import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { getSystemErrorMap } from "node:util";
import { mapValues } from "lodash";
import { Client, utils, type ClientChannel, type ConnectConfig, type ParsedKey, type SFTPWrapper } from "ssh2";
import { messageOf } from "../../host/labError";
import { PluginError } from "../pluginError";
import type { ProviderHost } from "../provider";
import type { Connection } from "./commandPlugin";

/**
 * Milliseconds until the first TCP keep-alive probe. The published plugin gives up a silent peer after 150 s: Go's net.Dialer probes after
 * 15 s, and nine more times every 15 s. Node.js probes ten times, every second, so its first probe is later.
 */
const keepAliveInitialDelay = 140_000;

const RETRY = { firstMs: 100, factor: 1.5, maxMs: 5000 };

interface Request {
  urn: string;
  /** Limit in seconds for dialing, from `customTimeouts`. 0: no limit. */
  timeout: number;
}

/** Opens a connection, calls `use` with it and closes it. A cancelled operation ends the dialing or the connection. */
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
  /** Ends the dialing, with its reason as the error. */
  signal: AbortSignal;
  /** Called before each new attempt. */
  onRetry: (message: string) => void;
}

/** Dials the host, through the proxy if there is one. Returns the client of the host, then that of the proxy. */
async function dial(connection: Connection, dialing: Dialing): Promise<Client[]> {
  const { host, port, dialErrorLimit, proxy } = connection;
  const { signal } = dialing;
  // Invalid keys fail here, without a retry.
  const config = connectConfig(connection);
  if (!proxy) return [await retrying("Dial", dialErrorLimit, dialing, () => dialTcp(connection, config, signal))];
  try {
    const hopConfig = connectConfig(proxy);
    const hop = await retrying("Dial proxy", proxy.dialErrorLimit, dialing, () => dialTcp(proxy, hopConfig, signal));
    try {
      const channel = await retrying("Dial from proxy", dialErrorLimit, dialing, () => forward(hop, host, port));
      // As in the published plugin, all attempts use the one channel. So only the first can succeed, and the others fail with EOF.
      return [await retrying("Dial", dialErrorLimit, dialing, () => connect(config, channel, signal)), hop];
    } catch (error) {
      hop.end();
      throw error;
    }
  } catch (error) {
    throw new PluginError(`proxy: ${messageOf(error)}`);
  }
}

/** Tries until an attempt succeeds or the limit of failures is reached. */
async function retrying<T>(
  what: string,
  dialErrorLimit: number,
  { signal, onRetry }: Dialing,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (dialErrorLimit >= 0 && failures >= dialErrorLimit) {
        throw new PluginError(`after ${failures} failed attempts: ${messageOf(error)}`);
      }
      onRetry(`${what} ${failures + 1}/${dialErrorLimit < 0 ? "inf" : dialErrorLimit} failed: retrying`);
    }
    await pause(Math.min(RETRY.firstMs * RETRY.factor ** failures, RETRY.maxMs), undefined, { signal });
  }
}

type Login = Omit<Connection, "proxy">;

/** Opens a TCP connection and logs in. As in the published plugin, `perDialTimeout` does not limit the login. */
async function dialTcp({ host, port, perDialTimeout }: Login, config: ConnectConfig, signal: AbortSignal) {
  const socket = openSocket({ host, port, keepAlive: true, keepAliveInitialDelay });
  const late = perDialTimeout ? AbortSignal.timeout(perDialTimeout * 1000) : undefined;
  try {
    await once(socket, "connect", { signal: late ? AbortSignal.any([signal, late]) : signal });
  } catch (error) {
    socket.destroy();
    throw new Error(`dial tcp ${host}:${port}: ${late?.aborted ? "i/o timeout" : `connect: ${describeErrno(error)}`}`);
  }
  return connect(config, socket, signal);
}

/** The operating system's words for an error, such as `connection refused`. */
function describeErrno(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException;
  return (errno !== undefined && getSystemErrorMap().get(errno)?.[1]) || messageOf(error);
}

/** Opens a connection from the proxy to the host. */
async function forward(hop: Client, host: string, port: number): Promise<ClientChannel> {
  try {
    return await answer<ClientChannel>((done) => hop.forwardOut("127.0.0.1", 0, host, port, done));
  } catch (error) {
    const reason = messageOf(error).replace(/^\(SSH\) Channel open failure: /, "");
    throw new Error(`ssh: rejected: connect failed (${reason})`);
  }
}

function connectConfig({ user: username, privateKey, privateKeyPassword: passphrase, hostKey }: Login): ConnectConfig {
  if (privateKey !== undefined) parseKey("privateKey", privateKey, passphrase);
  const expected = hostKey === undefined ? undefined : parseKey("hostKey", hostKey);
  return {
    username,
    privateKey,
    passphrase,
    // As in the published plugin, also beside a key.
    agent: process.env.SSH_AUTH_SOCK || undefined,
    readyTimeout: 0,
    // Only the type of the pinned key is negotiated. The key exchange verifies the host before authentication begins.
    ...(expected && {
      algorithms: { serverHostKey: [expected.type] },
      hostVerifier: (key: Buffer) => key.equals(expected.getPublicSSH()),
    }),
  };
}

function parseKey(property: string, text: string, passphrase?: string): ParsedKey {
  const key = utils.parseKey(text, passphrase);
  if (key instanceof Error) throw new PluginError(`connection.${property}: ssh: no key found: ${key.message}`);
  return key;
}

/** Errors of ssh2, and the words of the published plugin for them. */
const HANDSHAKE_ERRORS: Record<string, string> = {
  "Host denied (verification failed)": "ssh: host key mismatch",
  "Handshake failed: no matching host key format": "ssh: no common algorithm for host key",
  "All configured authentication methods failed":
    "ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain",
};

/** Logs in over an open connection. */
async function connect(config: ConnectConfig, sock: Duplex, signal: AbortSignal): Promise<Client> {
  const client = new Client();
  // Without a listener, an error would end the process. A connection that breaks later ends its session, which reports it.
  client.on("error", () => {});
  const closed = once(client, "close").then(() => {
    throw new Error("EOF");
  });
  try {
    if (!sock.writable) throw new Error("EOF");
    client.connect({ ...config, sock });
    await Promise.race([once(client, "ready", { signal }), closed]);
    return client;
  } catch (error) {
    client.destroy();
    const reason = messageOf(error);
    throw new Error(`ssh: handshake failed: ${HANDSHAKE_ERRORS[reason] ?? reason}`);
  }
}

/** Runs a command in its own session. Returns its output without the last newline. */
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

/** Why a command failed, in the words of the published plugin. */
function describeExit(status: number | null | undefined, killedBy: string | undefined): string {
  if (typeof status === "number") return `Process exited with status ${status}`;
  if (killedBy !== undefined) return `Process exited with status 1 from signal ${killedBy.replace(/^SIG/, "")}`;
  return "wait: remote command exited without exit status or exit signal";
}

/** Copies a file by SFTP. Overwrites an existing file. */
export async function copyFile(client: Client, from: string, to: string): Promise<void> {
  const sftp = await answer<SFTPWrapper>((done) => client.sftp(done));
  await answer<void>((done) => sftp.fastPut(from, to, (error) => done(error ?? undefined))).catch((error: unknown) => {
    throw new PluginError(`failed to copy file ${from} to remote path ${to}: ${messageOf(error)}`);
  });
}

/** Turns a function with a callback into a promise. */
function answer<T>(ask: (done: (error: Error | undefined, value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => ask((error, value) => (error ? reject(error) : resolve(value))));
}
