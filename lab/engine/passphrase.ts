import { createCipheriv, createDecipheriv, pbkdf2, pbkdf2Sync, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { EngineError } from "../plugins/errors";

/**
 * Pulumi's passphrase secrets: AES-256-GCM under a key that PBKDF2-SHA256 derives from the passphrase and a salt.
 * A ciphertext reads `v1:<nonce>:<ciphertext and tag>`, the salt with its check value `v1:<salt>:v1:<nonce>:<ct>`.
 */
const iterations = 1_000_000;
const keyBytes = 32;
const saltBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;
/** What the check value in `encryptionsalt` decrypts to when the passphrase is right. */
const checkText = "pulumi";

export class Crypter {
  private constructor(
    private readonly key: Buffer,
    /** The `encryptionsalt` that belongs to this key. */
    readonly salt: string,
  ) {}

  /** A new salt, for a stack that has none yet. */
  static create(passphrase: string): Crypter {
    const salt = randomBytes(saltBytes);
    const key = deriveKey(passphrase, salt);
    return new Crypter(key, `v1:${salt.toString("base64")}:${encryptWith(key, checkText)}`);
  }

  /** The key of an existing stack; a wrong passphrase is refused here. */
  static open(passphrase: string, encryptionSalt: string): Crypter {
    const [version, salt, ...check] = encryptionSalt.split(":");
    if (version !== "v1" || salt === undefined || check.length !== 3) {
      throw new EngineError("malformed encryptionsalt: expected v1:<salt>:v1:<nonce>:<ciphertext>");
    }
    const key = deriveKey(passphrase, Buffer.from(salt, "base64"));
    try {
      if (decryptWith(key, check.join(":")) === checkText) return new Crypter(key, encryptionSalt);
    } catch {
      // A wrong key fails GCM's authentication; told below like a wrong text.
    }
    throw new EngineError("incorrect passphrase");
  }

  encrypt(plaintext: string): string {
    return encryptWith(this.key, plaintext);
  }

  decrypt(ciphertext: string): string {
    try {
      return decryptWith(this.key, ciphertext);
    } catch {
      throw new EngineError(`cannot decrypt ${JSON.stringify(ciphertext.slice(0, 12))}…: encrypted with another key?`);
    }
  }
}

// One operation opens the same salt for the config and for the state; deriving takes about half a second.
const derived = new Map<string, Buffer>();

function deriveKey(passphrase: string, salt: Buffer): Buffer {
  const id = keyId(passphrase, salt);
  const key = derived.get(id) ?? pbkdf2Sync(passphrase, salt, iterations, keyBytes, "sha256");
  derived.set(id, key);
  return key;
}

function keyId(passphrase: string, salt: Buffer): string {
  return `${salt.toString("hex")}:${passphrase}`;
}

/** Derives a key in the background, so that `Crypter.open` has it at once. */
export async function prepareKey(passphrase: string, encryptionSalt: string): Promise<void> {
  const salt = Buffer.from(encryptionSalt.split(":")[1] ?? "", "base64");
  const key = await promisify(pbkdf2)(passphrase, salt, iterations, keyBytes, "sha256");
  derived.set(keyId(passphrase, salt), key);
}

function encryptWith(key: Buffer, plaintext: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const sealed = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `v1:${nonce.toString("base64")}:${sealed.toString("base64")}`;
}

function decryptWith(key: Buffer, ciphertext: string): string {
  const [version, nonce, sealed] = ciphertext.split(":");
  if (version !== "v1" || nonce === undefined || sealed === undefined) throw new Error("malformed ciphertext");
  const bytes = Buffer.from(sealed, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  return Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]).toString("utf8");
}
