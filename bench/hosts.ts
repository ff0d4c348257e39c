/**
 * SSH servers on loopback addresses that answer each command of a worker like a host, at once. With them, a benchmark measures the program,
 * the engine and the plugins, but no joins.
 */
import { generateKeyPairSync, webcrypto } from "node:crypto";
import "reflect-metadata"; // x509 cannot be loaded without it
import * as x509 from "@peculiar/x509";
import ssh2 from "ssh2";
import { NODE_USER_PREFIX, NODES_GROUP } from "../components/cluster/names";
import { servingNamesOf } from "../components/serving/servingNames";

export interface Host {
  readonly name: string;
  readonly address: string;
}

export interface Hosts {
  /** The hosts' public keys in the format of authorized_keys. */
  readonly hostKeys: readonly string[];
  /** The name of the host of each SSH session since the hosts were served. */
  readonly sessions: readonly string[];
  close(): void;
}

/**
 * Serves all hosts on one port.
 * @param certificate any certificate in PEM; each host returns it as that of its node
 */
export async function serveHosts(hosts: readonly Host[], port: number, certificate: string): Promise<Hosts> {
  const request = await createRequester();
  const keys = hosts.map(hostKey);
  const sessions: string[] = [];
  const servers = hosts.map((host, i) => {
    const server = new ssh2.Server({ hostKeys: [keys[i].private] }, (client) => {
      client.on("error", () => undefined);
      client.on("authentication", (context) => context.accept());
      client.on("ready", () =>
        client.on("session", (accept) =>
          accept().on("exec", (acceptExec, _reject, { command }) => {
            sessions.push(host.name);
            const channel = acceptExec();
            channel.resume().on("end", () => {
              void answer(host, command, certificate, request).then((text) => {
                channel.write(text);
                channel.exit(0);
                channel.end();
              });
            });
          }),
        ),
      );
    });
    return server.listen(port, host.address);
  });
  return {
    hostKeys: keys.map((key) => key.public),
    sessions,
    close: () => servers.forEach((server) => server.close()),
  };
}

function hostKey(): { private: string; public: string } {
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "sec1", format: "pem" },
  });
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return { private: privateKey, public: `${key.type} ${key.getPublicSSH().toString("base64")}` };
}

/** In the encoding of openssl. */
const subject = (node: string): x509.Name =>
  new x509.Name(
    Object.entries({ O: NODES_GROUP, CN: `${NODE_USER_PREFIX}${node}` }).map(([type, text]) => ({
      [type]: [{ utf8String: text }],
    })),
  );

type Requester = (host: Host) => Promise<string>;

async function answer(host: Host, command: string, certificate: string, request: Requester): Promise<string> {
  if (command.includes("run.sh join")) {
    const ms = { token: 1, certificate: 1, ready: 1, total: 3 };
    return `${JSON.stringify({ node: host.name, certificate, ms })}\n`;
  }
  if (!command.endsWith("/bin/sh -s create")) return "{}\n";
  const checked = { machine: host.name, notes: [] };
  return `${JSON.stringify(checked)}\n${JSON.stringify({ step: "host", servingRequest: await request(host) })}\n`;
}

/** Makes a function that renders requests for serving certificates, all with the same key. */
async function createRequester(): Promise<Requester> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  return async ({ name, address }) => {
    const { dns, ips } = servingNamesOf(name, address);
    const names = new x509.SubjectAlternativeNameExtension([
      ...dns.map((value) => ({ type: "dns" as const, value })),
      ...ips.map((value) => ({ type: "ip" as const, value })),
    ]);
    const created = await x509.Pkcs10CertificateRequestGenerator.create({
      name: subject(name),
      keys,
      signingAlgorithm: algorithm,
      extensions: [names],
    });
    return `${created.toString("pem")}\n`;
  };
}
