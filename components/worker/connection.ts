import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ResolvedWorker } from "../spec/resolve";

/**
 * The SSH connection to a worker. It has no field that the provider does not know: the provider would print the whole connection, with the
 * private key.
 * @param dialErrorLimit how often the plugin tries again. By default it tries once, and `retryUntilHostAnswers` decides whether the command is
 * tried again.
 */
export function connectionTo(
  { address, hostKey, ssh }: ResolvedWorker,
  dialErrorLimit = 0,
): types.input.remote.ConnectionArgs {
  const { bastion } = ssh;
  return {
    host: address,
    hostKey,
    user: ssh.user,
    port: ssh.port,
    privateKey: pulumi.secret(ssh.privateKey),
    dialErrorLimit,
    ...(bastion && {
      proxy: {
        host: bastion.host,
        hostKey: bastion.hostKey,
        user: bastion.user,
        port: bastion.port,
        privateKey: pulumi.secret(bastion.privateKey ?? ssh.privateKey),
        dialErrorLimit,
      },
    }),
  };
}
