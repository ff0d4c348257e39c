import { connect as openSocket } from "node:net";
import type { Duplex } from "node:stream";
import { basename, posix } from "node:path";
import { Client, utils, type ConnectConfig, type SFTPWrapper } from "ssh2";
import { messageOf, PluginError } from "../errors";
import { pause } from "../pause";

/** How to reach a host, with remote.Command's property names and defaults. */
export interface Connection {
  host: string;
  port: number;
  user: string;
  password?: string;
  privateKey?: string;
  privateKeyPassword?: string;
  agentSocketPath?: string;
  /** Failed dials before giving up; -1: never. */
  dialErrorLimit: number;
  /** Seconds; 0: no limit. */
  perDialTimeout: number;
  /** One authorized_keys line; absent: any key is accepted. */
  hostKey?: string;
  proxy?: Connection;
}

export interface RunRequest {
  command: string;
  stdin?: string;
  environment: Record<string, string>;
  /** Set where the server lets us, else only warned about. */
  optionalEnvironment: Record<string, string>;
  onOutput: (stream: "stdout" | "stderr", chunk: string) => void;
  onWarning: (message: string) => void;
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

/**
 * A peer that has fallen silent is given up after 150 s, as by the provider, whose sockets have the defaults of Go's net.Dialer: asked after 15 s, and
 * nine times more every 15 s. Node's ask ten times, every second, so they begin later.
 */
const keepAliveInitialDelay = 140_000;

const retry = { firstMs: 100, factor: 1.5, maxMs: 5000 };

export interface Dialing {
  /** Hears of every failed attempt that is tried again. */
  onRetry: (message: string) => void;
  /** Ends all attempts, with its reason as the error. */
  signal: AbortSignal;
}

/** Dials until it works or the limit is reached. The first client is the host's, the second a proxy's. */
export async function dial(connection: Connection, dialing: Dialing): Promise<Client[]> {
  const { signal } = dialing;
  if (!connection.proxy) return [await retrying("Dial", connection, dialing, () => connect(connection, signal))];
  const proxy = connection.proxy;
  try {
    const hop = await retrying("Dial proxy", proxy, dialing, () => connect(proxy, signal));
    const target = await retrying("Dial", connection, dialing, async () =>
      connect(connection, signal, await forward(hop, connection)),
    );
    return [target, hop];
  } catch (error) {
    throw new PluginError(`proxy: ${messageOf(error)}`);
  }
}

async function retrying<T>(
  what: string,
  { dialErrorLimit }: Connection,
  { onRetry, signal }: Dialing,
  attempt: () => Promise<T>,
): Promise<T> {
  let delay = retry.firstMs;
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof UnusableConnection) throw error;
      if (dialErrorLimit >= 0 && failures >= dialErrorLimit) {
        throw new PluginError(`after ${failures} failed attempts: ${messageOf(error)}`);
      }
      onRetry(`${what} ${failures + 1}/${dialErrorLimit < 0 ? "inf" : dialErrorLimit} failed: retrying`);
    }
    await pause(delay, signal);
    delay = Math.min(delay * retry.factor, retry.maxMs);
  }
}

/** Wrong input: no second try can help. */
class UnusableConnection extends PluginError {}

function connect(connection: Connection, signal: AbortSignal, socket?: Duplex): Promise<Client> {
  const client = new Client();
  const config = connectConfig(connection);
  return new Promise((resolve, reject) => {
    const { host, port } = connection;
    const fail = (error: Error): void => {
      client.destroy();
      signal.removeEventListener("abort", cancel);
      reject(new Error(describeFailure(error, connection)));
    };
    const cancel = (): void => fail(signal.reason as Error);
    signal.addEventListener("abort", cancel);
    client.once("ready", () => {
      signal.removeEventListener("abort", cancel);
      client.removeListener("error", fail);
      // A connection that breaks later ends its session; that is where it is told.
      client.on("error", () => {});
      resolve(client);
    });
    client.once("error", fail);
    client.once("close", () => fail(new Error(`connection to ${host}:${port} closed`)));
    // Through a proxy, the connection to the host is the proxy's to watch.
    client.connect({ ...config, sock: socket ?? openSocket({ host, port, keepAlive: true, keepAliveInitialDelay }) });
  });
}

function describeFailure(error: Error & { level?: string }, { host, port, hostKey }: Connection): string {
  const where = `dial tcp ${host}:${port}`;
  if (/verification failed/i.test(error.message)) return "ssh: handshake failed: ssh: host key mismatch";
  if (/no matching host key/i.test(error.message) && hostKey) {
    return `ssh: handshake failed: ssh: no common algorithm for host key; the pinned key is ${hostKey.split(" ")[0]}`;
  }
  if (/authentication methods failed/i.test(error.message)) {
    return "ssh: handshake failed: ssh: unable to authenticate, no supported methods remain";
  }
  if (/timed? ?out/i.test(error.message)) return `${where}: i/o timeout`;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ECONNREFUSED") return `${where}: connect: connection refused`;
  if (code === "EHOSTUNREACH") return `${where}: connect: no route to host`;
  return error.message;
}

function connectConfig(connection: Connection): ConnectConfig {
  const { user: username, password, perDialTimeout, hostKey } = connection;
  const agent = connection.agentSocketPath ?? process.env.SSH_AUTH_SOCK;
  return {
    username,
    ...(password === undefined ? {} : { password, tryKeyboard: true }),
    ...privateKeyOf(connection),
    ...(agent ? { agent } : {}),
    readyTimeout: perDialTimeout * 1000,
    ...(hostKey === undefined ? {} : pinned(hostKey)),
  };
}

function privateKeyOf({ privateKey, privateKeyPassword }: Connection): Partial<ConnectConfig> {
  if (privateKey === undefined) return {};
  const parsed = utils.parseKey(privateKey, privateKeyPassword);
  if (parsed instanceof Error) throw new UnusableConnection(`ssh: no key found: ${parsed.message}`);
  return { privateKey, ...(privateKeyPassword === undefined ? {} : { passphrase: privateKeyPassword }) };
}

/** The key exchange proves the host before a word of authentication is sent; only the pinned type is negotiated. */
function pinned(hostKey: string): Partial<ConnectConfig> {
  const parsed = utils.parseKey(hostKey);
  if (parsed instanceof Error) throw new UnusableConnection("failed to parse host key: ssh: no key found");
  const expected = parsed.getPublicSSH();
  return {
    algorithms: { serverHostKey: [parsed.type] },
    hostVerifier: (key: Buffer) => key.equals(expected),
  };
}

function forward(hop: Client, { host, port }: Connection): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    hop.forwardOut("127.0.0.1", 0, host, port, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

/** Runs one command in a session of its own, after making sure that its environment is accepted. */
export async function run(client: Client, request: RunRequest): Promise<RunResult> {
  for (const name of await refused(client, request.environment)) {
    throw new PluginError(`could not set environment variable "${name}": ssh: setenv failed`);
  }
  for (const name of await refused(client, request.optionalEnvironment)) {
    request.onWarning(
      `Unable to set '${name}'. This only works if your SSH server is configured to accept these variables via ` +
        "AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could prefix the " +
        "command itself with the variables in the form 'VAR=value command'",
    );
  }
  const { command, stdin, onOutput } = request;
  const env = { ...request.optionalEnvironment, ...request.environment };
  const { stdout, stderr, both, fault } = await execute(client, command, env, stdin, onOutput);
  if (fault !== undefined) throw new PluginError(`${fault}: running ${JSON.stringify(command)}:\n${both}`);
  return { stdout: stdout.replace(/\n$/, ""), stderr: stderr.replace(/\n$/, "") };
}

/** Copies a file by SFTP, over what is there; into `to`, when that is a folder. */
export async function copy(client: Client, from: string, to: string): Promise<void> {
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.sftp((error, session) => (error ? reject(error) : resolve(session)));
  });
  const isFolder = await new Promise<boolean>((resolve) => {
    sftp.stat(to, (error, stats) => resolve(!error && stats.isDirectory()));
  });
  const target = isFolder ? posix.join(to, basename(from)) : to;
  for (const folder of parentsOf(target)) {
    await new Promise<void>((resolve) => sftp.mkdir(folder, () => resolve())); // most of them are there
  }
  await new Promise<void>((resolve, reject) => {
    sftp.fastPut(from, target, (error) =>
      error
        ? reject(new PluginError(`failed to copy file ${from} to remote path ${target}: ${error.message}`))
        : resolve(),
    );
  });
}

function parentsOf(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === "." || parent === "/" ? [] : [...parentsOf(parent), parent];
}

/** A server drops variables that it does not accept without a word (ssh2 asks for none), so a first session looks. */
async function refused(client: Client, environment: Record<string, string>): Promise<string[]> {
  const names = Object.keys(environment);
  if (names.length === 0) return [];
  const probe = names.map((name) => `printenv ${name} >/dev/null || echo ${name}`).join("; ");
  const { stdout } = await execute(client, probe, environment, undefined, () => {});
  return stdout.split("\n").filter((name) => names.includes(name));
}

interface Executed extends RunResult {
  both: string;
  /** Why it counts as failed. */
  fault: string | undefined;
}

function execute(
  client: Client,
  command: string,
  env: Record<string, string>,
  stdin: string | undefined,
  onOutput: RunRequest["onOutput"],
): Promise<Executed> {
  return new Promise((resolve, reject) => {
    client.exec(command, { env }, (error, channel) => {
      if (error) return reject(error);
      const result: Executed = { stdout: "", stderr: "", both: "", fault: undefined };
      const take = (stream: "stdout" | "stderr") => (chunk: string) => {
        result[stream] += chunk;
        result.both += chunk;
        onOutput(stream, chunk);
      };
      channel.setEncoding("utf8").on("data", take("stdout"));
      channel.stderr.setEncoding("utf8").on("data", take("stderr"));
      let ended: { status?: number | null; signal?: string } = {};
      channel.on("exit", (status: number | null, signal?: string) => (ended = { status, signal }));
      channel.on("close", () => resolve({ ...result, fault: exitFault(ended.status, ended.signal) }));
      channel.end(stdin ?? "");
    });
  });
}

function exitFault(status: number | null | undefined, signal: string | undefined): string | undefined {
  if (status === 0) return undefined;
  if (typeof status === "number") return `Process exited with status ${status}`;
  if (signal !== undefined) return `Process exited with status 1 from signal ${signal.replace(/^SIG/, "")}`;
  return "wait: remote command exited without exit status or exit signal";
}
