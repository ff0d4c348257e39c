import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** How to log in to a host by SSH. */
export interface SshLogin {
  /**
   * Must be root, or allowed to run everything by `sudo -n`.
   * @default "root"
   */
  readonly user?: string;
  /** @default 22 */
  readonly port?: number;
  /** PEM or OpenSSH private key without passphrase; treated as a secret. */
  readonly privateKey: pulumi.Input<string>;
}

/** A host to go through to the workers, one hop. */
export interface Bastion extends SshLogin {
  readonly host: string;
  /** Public key that the bastion proves itself with. */
  readonly hostKey: string;
}

export interface SshArgs extends SshLogin {
  readonly bastion?: Bastion;
}

/** A booting VM refuses connections for a while: 30 attempts take up to two minutes. */
const DIAL_ERROR_LIMIT = 30;

/**
 * The connection to one worker. Built field by field: an unknown field would make the provider print the whole object, with
 * the private key in it.
 */
export function connectionTo(
  target: { readonly address: string; readonly hostKey: string },
  ssh: SshArgs,
): types.input.remote.ConnectionArgs {
  const login = (at: SshLogin) => ({
    user: at.user ?? "root",
    port: at.port ?? 22,
    privateKey: pulumi.secret(at.privateKey),
  });
  return {
    host: target.address,
    hostKey: target.hostKey,
    ...login(ssh),
    dialErrorLimit: DIAL_ERROR_LIMIT,
    ...(ssh.bastion && {
      proxy: {
        host: ssh.bastion.host,
        hostKey: ssh.bastion.hostKey,
        ...login(ssh.bastion),
        dialErrorLimit: DIAL_ERROR_LIMIT,
      },
    }),
  };
}
