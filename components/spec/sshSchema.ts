/** How Pulumi logs in to the workers. */
import { z } from "zod";
import * as rules from "../validation/rules";
import { hiddenString, ruledString, stringInput } from "../validation/ruledString";
import { hasPassphrase, sshKey } from "../validation/sshKeys";

const user = ruledString(rules.userName).describe(
  "User to log in as. The user must be root, or may run every command by `sudo -n`.",
);
const port = z.int().min(1).max(65535).describe("TCP port of sshd.");
const login = { user: user.default("root"), port: port.default(22) };
const privateKey = stringInput(hiddenString(sshKey, { secret: true })).optional();
const privateKeyPassword = stringInput(hiddenString(rules.notEmpty, { secret: true }))
  .optional()
  .describe("Passphrase of the private key, when it has one.");
const agent = z
  .boolean()
  .describe(
    "Log in by the SSH agent at `SSH_AUTH_SOCK` instead of a private key. So neither settings nor state have a key. Each update and destroy needs the agent.",
  );

/** What proves who logs in. */
interface Credentials {
  readonly privateKey?: unknown;
  readonly privateKeyPassword?: unknown;
  readonly agent?: boolean;
}

type Problem = readonly [field: keyof Credentials, message: string];

/** What is wrong with the parts together. */
function credentialProblems({
  privateKey: key,
  privateKeyPassword: password,
  agent: usesAgent,
}: Credentials): Problem[] {
  if (key === undefined)
    return password === undefined ? [] : [["privateKeyPassword", "belongs to a privateKey, and there is none here"]];
  if (usesAgent) return [["agent", "excludes privateKey: remove one of them"]];
  if (typeof key !== "string" || sshKey(key) !== undefined || hasPassphrase(key) === (password !== undefined))
    return [];
  return password === undefined
    ? [["privateKey", "is protected by a passphrase: set privateKeyPassword too, or use a key without one"]]
    : [["privateKeyPassword", "is given for a key without a passphrase: remove it"]];
}

const report =
  (problemsOf: (credentials: Credentials) => Problem[]) => (credentials: Credentials, context: z.RefinementCtx) =>
    problemsOf(credentials).forEach(([field, message]) => context.addIssue({ code: "custom", path: [field], message }));

const bastionSchema = z
  .strictObject({
    host: ruledString(rules.host).describe("IP address or DNS name of the bastion."),
    hostKey: ruledString(rules.hostKey).describe("Public host key of the bastion, as for a worker."),
    ...login,
    privateKey: privateKey.describe("Private key for the bastion. Default: the login of the workers."),
    privateKeyPassword,
  })
  .superRefine(report(credentialProblems))
  .meta({ id: "BastionSpec" });

const bastion = bastionSchema.optional().describe("Host to go through to the workers, one hop.");

const key = privateKey.describe("Private key, PEM or OpenSSH. Required without `agent`.");

export const sshSchema = z
  .strictObject({ ...login, privateKey: key, privateKeyPassword, agent: agent.default(false), bastion })
  .superRefine(
    report((given) => [
      ...credentialProblems(given),
      ...(given.privateKey === undefined && !given.agent
        ? [["privateKey", "is required, or 'agent: true'"] satisfies Problem]
        : []),
    ]),
  )
  .meta({ id: "SshSpec" });

export type Ssh = z.output<typeof sshSchema>;

/** What a pool overrides. A field that it leaves out is inherited, so no field has a default here. */
export const poolSshSchema = z
  .strictObject({
    user,
    port,
    privateKey: privateKey.describe("Private key, PEM or OpenSSH."),
    privateKeyPassword,
    agent,
    bastion,
  })
  .partial()
  .superRefine(report(credentialProblems))
  .meta({ id: "PoolSshSpec" });

type PoolSsh = z.output<typeof poolSshSchema>;

/** How Pulumi logs in to a pool's workers. Each field of the pool overrides the one for all pools; a key and its passphrase go together. */
export function resolvedSsh(all: Ssh, pool: PoolSsh = {}): Ssh {
  const credentials = pool.privateKey !== undefined || pool.agent ? pool : all;
  return {
    user: pool.user ?? all.user,
    port: pool.port ?? all.port,
    privateKey: credentials.privateKey,
    privateKeyPassword: credentials.privateKeyPassword,
    agent: credentials.agent ?? false,
    bastion: pool.bastion ?? all.bastion,
  };
}
