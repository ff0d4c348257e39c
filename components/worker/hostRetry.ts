import { setTimeout as pause } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import type { ResolvedWorker } from "../spec/resolve";
import { hooksAreKnown } from "./hooks";

/** How long a VM may take to boot. */
const BOOT_MS = 120_000;

const PAUSE_MS = 5_000;

/** The command plugin's error when it cannot connect, with the reason. */
const CONNECT_ERROR = /^(?:proxy: )?after \d+ failed attempts: (.+)/s;

/** Reasons that waiting does not remove. A booting VM that refuses users (`pam_nologin`) closes the connection, which is none of them. */
const REFUSALS = [
  {
    reason: /host key mismatch|no common algorithm for host key/,
    problem: "has another SSH host key than the settings say",
    hint: "find out which machine answers, because a reimaged VM and another machine both have another key, and then correct hostKey",
  },
  {
    reason: /unable to authenticate/,
    problem: "does not accept the SSH login",
    hint: "check ssh.user, ssh.privateKey or the keys of the SSH agent (ssh-add -l), and authorized_keys on the host",
  },
];

const NO_ANSWER = {
  problem: "cannot be reached by SSH",
  hint: "check that the VM runs, its address, ssh.port, the firewall and the bastion",
};

/**
 * Whether to try a failed command again.
 * @param host for the error
 * @param error of the command plugin
 * @param waitedMs since the first failure
 * @throws Error when the host refuses the connection, or has not answered for too long
 */
export function isWorthRetry(host: string, error: string, waitedMs: number): boolean {
  const reason = CONNECT_ERROR.exec(error)?.[1];
  if (reason === undefined) return false;
  const refusal = REFUSALS.find((candidate) => candidate.reason.test(reason));
  if (!refusal && waitedMs < BOOT_MS) return true;
  const { problem, hint } = refusal ?? NO_ANSWER;
  throw new Error(`${host} ${problem} (${reason}): ${hint}`);
}

/**
 * Makes the commands of a machine wait for a VM that is booting. The command plugin could do so by itself, but would also retry a wrong host
 * key or login for two minutes.
 * @param name of the machine's component
 */
export function retryUntilHostAnswers(
  name: string,
  { name: node, ssh }: Pick<ResolvedWorker, "name" | "ssh">,
): pulumi.ResourceTransformation {
  if (!hooksAreKnown()) return () => undefined;
  const host = ssh.bastion ? `${node} or its bastion` : node;
  const firstFailures = new Map<pulumi.URN, number>();
  const hook = new pulumi.ErrorHook(`${name}-ssh`, async ({ urn, errors }) => {
    if (errors.length === 1) firstFailures.set(urn, Date.now());
    if (!isWorthRetry(host, errors[0], Date.now() - firstFailures.get(urn)!)) return false;
    await pause(PAUSE_MS);
    return true;
  });
  return ({ type, props, opts }) =>
    type.startsWith("command:") ? { props, opts: { ...opts, hooks: { onError: [hook] } } } : undefined;
}
