import { spawn } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createConnection } from "node:net";
import { Server, utils, type ParsedKey, type SFTPWrapper } from "ssh2";

export interface KeyPair {
  private: string;
  public: string;
}

export function newKey(): KeyPair {
  return utils.generateKeyPairSync("ed25519");
}

/** An SSH server on loopback that runs commands with `sh`, for user `admin` and one key. */
export class SshServer {
  readonly hostKey = newKey();
  readonly userKey = newKey();
  connections = 0;
  readonly commands: string[] = [];
  /** Paths of the files that were written by SFTP. */
  readonly copied: string[] = [];
  authentications = 0;
  private readonly server: Server;

  constructor() {
    const allowed = utils.parseKey(this.userKey.public) as ParsedKey;
    this.server = new Server({ hostKeys: [this.hostKey.private] }, (client) => {
      this.connections++;
      client.on("error", () => {});
      client.on("authentication", (context) => {
        this.authentications++;
        const known =
          context.method === "publickey" &&
          context.username === "admin" &&
          context.key.data.equals(allowed.getPublicSSH()) &&
          (!context.signature ||
            allowed.verify(context.blob ?? Buffer.alloc(0), context.signature, context.hashAlgo) === true);
        if (known) context.accept();
        else context.reject(["publickey"]);
      });
      client.on("session", (accept) => {
        const session = accept();
        session.on("sftp", (acceptSftp) => this.serveFiles(acceptSftp()));
        session.on("exec", (acceptExec, _reject, { command }) => {
          this.commands.push(command);
          const channel = acceptExec();
          const child = spawn("sh", ["-c", command], { env: { PATH: process.env.PATH } });
          child.stdin.on("error", () => {});
          channel.on("close", () => child.kill());
          channel.pipe(child.stdin);
          child.stdout.on("data", (chunk) => channel.write(chunk));
          child.stderr.on("data", (chunk) => channel.stderr.write(chunk));
          child.on("close", (code) => {
            channel.exit(code ?? 1);
            channel.end();
          });
        });
      });
      // As a bastion, connects onward for the client.
      client.on("tcpip", (accept, reject, { destIP, destPort }) => {
        const socket = createConnection(destPort, destIP, () => {
          const channel = accept();
          channel.pipe(socket).pipe(channel);
        }).on("error", () => reject());
      });
    });
  }

  /** The part of SFTP that a copy needs. Paths are on this machine. */
  private serveFiles(sftp: SFTPWrapper): void {
    const { OK, FAILURE } = utils.sftp.STATUS_CODE;
    const attempt = (id: number, task: () => void): void => {
      try {
        task();
      } catch {
        sftp.status(id, FAILURE);
      }
    };
    const done = (id: number, task: () => void): void =>
      attempt(id, () => {
        task();
        sftp.status(id, OK);
      });
    sftp
      .on("OPEN", (id, path) =>
        attempt(id, () => {
          this.copied.push(path);
          sftp.handle(id, Buffer.from(String(openSync(path, "w"))));
        }),
      )
      .on("WRITE", (id, handle, offset, data) =>
        done(id, () => writeSync(Number(handle.toString()), data, 0, data.length, offset)),
      )
      .on("FSETSTAT", (id) => sftp.status(id, OK))
      .on("CLOSE", (id, handle) => done(id, () => closeSync(Number(handle.toString()))));
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connection arguments that work. */
  get connection() {
    return {
      host: "127.0.0.1",
      port: this.port,
      user: "admin",
      privateKey: this.userKey.private,
      hostKey: this.hostKey.public,
      dialErrorLimit: 0,
    };
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
