/** Private keys for SSH. */
import { createPrivateKey } from "node:crypto";
import type { Rule } from "./rules";

const OPENSSH_MAGIC = "openssh-key-v1\0";

/** The cipher of an OpenSSH private key, "none" without a passphrase. Undefined for text that is none. */
function opensshCipher(key: string): string | undefined {
  const body = Buffer.from(key.replace(/-----[^-]+-----/g, ""), "base64");
  if (body.subarray(0, OPENSSH_MAGIC.length).toString("latin1") !== OPENSSH_MAGIC) return undefined;
  const begin = OPENSSH_MAGIC.length + 4;
  return body.subarray(begin, begin + body.readUInt32BE(OPENSSH_MAGIC.length)).toString("latin1");
}

const PKCS8_ENCRYPTED = /BEGIN ENCRYPTED PRIVATE KEY/;

const isOpenssh = (key: string): boolean => key.includes("BEGIN OPENSSH PRIVATE KEY");

/** Whether a private key is protected by a passphrase. */
export const hasPassphrase = (key: string): boolean =>
  isOpenssh(key)
    ? ![undefined, "none"].includes(opensshCipher(key))
    : PKCS8_ENCRYPTED.test(key) || /^Proc-Type: 4,ENCRYPTED/m.test(key);

/** A private key, PEM or OpenSSH, with or without a passphrase. The message never shows the value. */
export const sshKey: Rule = (value) => {
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----\s[\s\S]+-----END [A-Z ]*PRIVATE KEY-----\s*$/.test(value.trim()))
    return "is not a private key (-----BEGIN OPENSSH PRIVATE KEY----- …)";
  if (isOpenssh(value)) return opensshCipher(value) === undefined ? "is not a complete OpenSSH private key" : undefined;
  // The command plugin's SSH library cannot read it: https://pkg.go.dev/golang.org/x/crypto/ssh#ParseRawPrivateKeyWithPassphrase
  if (PKCS8_ENCRYPTED.test(value))
    return "is a PKCS #8 key with a passphrase, which Pulumi cannot read: convert it with 'ssh-keygen -p -f <file>'";
  if (hasPassphrase(value)) return undefined;
  try {
    createPrivateKey(value);
    return undefined;
  } catch {
    return "cannot be read as a private key";
  }
};
