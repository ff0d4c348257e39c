import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ResolvedWorker } from "../spec/resolve";

/** A booting VM refuses connections for a while. 30 attempts take up to two minutes. */
const DIAL_ERROR_LIMIT = 30;

/**
 * The SSH connection to a worker. It is built field by field: the provider prints a connection that has an unknown field, with the private key in it.
 */
export function connectionTo({ address, hostKey, ssh }: ResolvedWorker): types.input.remote.ConnectionArgs {
  const { bastion } = ssh;
  return {
    host: address,
    hostKey,
    user: ssh.user,
    port: ssh.port,
    privateKey: pulumi.secret(ssh.privateKey),
    dialErrorLimit: DIAL_ERROR_LIMIT,
    ...(bastion && {
      proxy: {
        host: bastion.host,
        hostKey: bastion.hostKey,
        user: bastion.user,
        port: bastion.port,
        privateKey: pulumi.secret(bastion.privateKey ?? ssh.privateKey),
        dialErrorLimit: DIAL_ERROR_LIMIT,
      },
    }),
  };
}
