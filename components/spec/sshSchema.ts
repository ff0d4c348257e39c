/** How Pulumi logs in to the workers. */
import { z } from "zod";
import * as rules from "../validation/rules";
import { hiddenString, ruledString, stringInput } from "../validation/ruledString";

const user = ruledString(rules.userName)
  .default("root")
  .describe("User to log in as. The user must be root, or may run every command by `sudo -n`.");
const port = z.int().min(1).max(65535).default(22).describe("TCP port of sshd.");
const privateKey = stringInput(hiddenString(rules.privateKey, { secret: true }));

const bastion = z
  .strictObject({
    host: ruledString(rules.host).describe("IP address or DNS name of the bastion."),
    hostKey: ruledString(rules.hostKey).describe("Public host key of the bastion, as for a worker."),
    user,
    port,
    privateKey: privateKey.optional().describe("Private key for the bastion. Default: the key for the workers."),
  })
  .meta({ id: "BastionSpec" });

export const sshSchema = z
  .strictObject({
    user,
    port,
    privateKey: privateKey.describe("Private key, PEM or OpenSSH, without a passphrase."),
    bastion: bastion.optional().describe("Host to go through to the workers, one hop."),
  })
  .meta({ id: "SshSpec" });
