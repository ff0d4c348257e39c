import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ResolvedPool, ResolvedWorker } from "../spec/resolve";
import type { Ssh } from "../spec/sshSchema";
import { refuse } from "../validation/refuse";

/** How to log in to a machine. */
export type Login = Pick<ResolvedWorker, "address" | "hostKey" | "ssh">;

/**
 * The SSH connection to a machine. The command package makes the whole connection a secret. It has no field that the provider does not know: the
 * provider would print the whole connection, with the private key.
 * @param dialErrorLimit how often the plugin tries again. By default it tries once, and `retryUntilHostAnswers` decides whether the command is
 * tried again.
 */
export function connectionTo({ address, hostKey, ssh }: Login, dialErrorLimit = 0): types.input.remote.ConnectionArgs {
  const { bastion } = ssh;
  return {
    host: address,
    hostKey,
    user: ssh.user,
    port: ssh.port,
    ...credentialsOf(ssh),
    dialErrorLimit,
    ...(bastion && {
      proxy: {
        host: bastion.host,
        hostKey: bastion.hostKey,
        user: bastion.user,
        port: bastion.port,
        ...credentialsOf(bastion.privateKey === undefined ? ssh : bastion),
        dialErrorLimit,
      },
    }),
  };
}

/** The key and its passphrase. Without a key, the plugin asks the agent at `SSH_AUTH_SOCK`. */
const credentialsOf = ({ privateKey, privateKeyPassword }: Pick<Ssh, "privateKey" | "privateKeyPassword">) => ({
  ...(privateKey !== undefined && { privateKey }),
  ...(privateKeyPassword !== undefined && { privateKeyPassword }),
});

/** Refuses an update that logs in by the SSH agent where there is none. A preview opens no connection, so it may run there. */
export function refuseWithoutAgent(what: string, pools: readonly ResolvedPool[]): void {
  const needsAgent = pools.some(({ ssh, workers }) => ssh.agent && workers.length > 0);
  if (!needsAgent || process.env.SSH_AUTH_SOCK || pulumi.runtime.isDryRun()) return;
  const hint = "run 'eval $(ssh-agent)' and 'ssh-add', or set ssh.privateKey";
  refuse(what, [["ssh.agent", `needs an SSH agent, and the variable SSH_AUTH_SOCK names none: ${hint}`]]);
}
