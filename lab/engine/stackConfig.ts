import { existsSync } from "node:fs";
import { stringify } from "yaml";
import { writeFileAtomic } from "./files";
import { Crypter } from "./passphrase";
import { isRecord, readYaml } from "./project";

/**
 * The stack config file as Pulumi's CLI reads and writes it: `config:` with `{ secure: <ciphertext> }` wherever a value
 * is secret, and the `encryptionsalt` of its passphrase. One file serves both engines.
 */

/** A value that `writeStackConfig` encrypts. */
export class SecretMarker {
  constructor(readonly value: string) {}
}

export function secret(value: string): SecretMarker {
  return new SecretMarker(value);
}

/** Full key (`namespace:name`) → plain value, and the texts in it that were encrypted. */
export type Config = Record<string, { value: unknown; secrets: string[] }>;

export interface StackConfig {
  crypter: Crypter;
  config: Config;
}

/** The salt of a stack config file, where it has one. */
export function encryptionSaltOf(file: string): string | undefined {
  const salt = existsSync(file) ? readYaml(file).encryptionsalt : undefined;
  return typeof salt === "string" ? salt : undefined;
}

/** Reads and decrypts a stack config file; a missing file or salt gives an empty config and a new key. */
export function readStackConfig(file: string, project: string, passphrase: string): StackConfig {
  const yaml = existsSync(file) ? readYaml(file) : {};
  const crypter = openFor(file, passphrase);
  const entries = Object.entries(isRecord(yaml.config) ? yaml.config : {}).map(([name, raw]) => {
    const key = name.includes(":") ? name : `${project}:${name}`;
    const secrets: string[] = [];
    const value = decrypt(raw, (ciphertext) => {
      const text = crypter.decrypt(ciphertext);
      secrets.push(text);
      return text;
    });
    return [key, { value, secrets }] as const;
  });
  return { crypter, config: Object.fromEntries(entries) };
}

/** Writes a whole config file (0600, in one step); an existing file's salt is kept, so its passphrase stays valid. */
export function writeStackConfig(file: string, config: Record<string, unknown>, passphrase: string): Promise<void> {
  const before = existsSync(file) ? readYaml(file) : {};
  const crypter = openFor(file, passphrase);
  const known = knownSecrets(before.config, crypter);
  const encrypted = encrypt(config, (text) => known.get(text) ?? crypter.encrypt(text));
  writeFileAtomic(file, stringify({ encryptionsalt: crypter.salt, config: encrypted }, { lineWidth: 0 }));
  return Promise.resolve();
}

function openFor(file: string, passphrase: string): Crypter {
  const salt = encryptionSaltOf(file);
  return salt === undefined ? Crypter.create(passphrase) : Crypter.open(passphrase, salt);
}

/** Plaintext → ciphertext of what a file already holds, so that rewriting the same config changes no byte. */
function knownSecrets(config: unknown, crypter: Crypter): Map<string, string> {
  const known = new Map<string, string>();
  decrypt(config, (ciphertext) => {
    const text = crypter.decrypt(ciphertext);
    known.set(text, ciphertext);
    return text;
  });
  return known;
}

function decrypt(value: unknown, open: (ciphertext: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => decrypt(item, open));
  if (!isRecord(value)) return value;
  if (typeof value.secure === "string" && Object.keys(value).length === 1) return open(value.secure);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decrypt(item, open)]));
}

function encrypt(value: unknown, seal: (plaintext: string) => string): unknown {
  if (value instanceof SecretMarker) return { secure: seal(value.value) };
  if (Array.isArray(value)) return value.map((item) => encrypt(item, seal));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encrypt(item, seal)]));
}

/** The config as the Node SDK takes it: every value as text, objects and lists as JSON. */
export function configForProgram(config: Config): { values: Record<string, string>; secretKeys: string[] } {
  const entries = Object.entries(config).filter(([, { value }]) => value !== undefined && value !== null);
  return {
    values: Object.fromEntries(
      entries.map(([key, { value }]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
    secretKeys: entries.filter(([, { secrets }]) => secrets.length > 0).map(([key]) => key),
  };
}
