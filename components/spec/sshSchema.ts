/** How Pulumi logs in to the workers. */
import { z } from "zod";
import * as rules from "../validation/rules";
import { hiddenString, ruledString, stringInput } from "../validation/ruledString";

const user = ruledString(rules.userName).describe(
  "User to log in as. The user must be root, or may run every command by `sudo -n`.",
);
const port = z.int().min(1).max(65535).describe("TCP port of sshd.");
const login = { user: user.default("root"), port: port.default(22) };
const key = stringInput(hiddenString(rules.privateKey, { secret: true }));
const privateKey = key.describe("Private key, PEM or OpenSSH, without a passphrase.");

const bastionSchema = z
  .strictObject({
    host: ruledString(rules.host).describe("IP address or DNS name of the bastion."),
    hostKey: ruledString(rules.hostKey).describe("Public host key of the bastion, as for a worker."),
    ...login,
    privateKey: key.optional().describe("Private key for the bastion. Default: the key for the workers."),
  })
  .meta({ id: "BastionSpec" });

const bastion = bastionSchema.optional().describe("Host to go through to the workers, one hop.");

export const sshSchema = z.strictObject({ ...login, privateKey, bastion }).meta({ id: "SshSpec" });

export type Ssh = z.output<typeof sshSchema>;

/** What a pool overrides. A field that it leaves out is inherited, so no field has a default here. */
export const poolSshSchema = z.strictObject({ user, port, privateKey, bastion }).partial().meta({ id: "PoolSshSpec" });

/** How Pulumi logs in to a pool's workers. Each field of the pool overrides the one for all pools. */
export const resolvedSsh = (all: Ssh, pool: z.output<typeof poolSshSchema> = {}): Ssh => ({
  user: pool.user ?? all.user,
  port: pool.port ?? all.port,
  privateKey: pool.privateKey ?? all.privateKey,
  bastion: pool.bastion ?? all.bastion,
});
