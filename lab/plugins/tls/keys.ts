import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { range } from "lodash";
import { z } from "zod";
import { PluginError } from "../pluginError";
import type { Created } from "../provider";
import { asSecret } from "../propertyValues";

const curves = { P224: "secp224r1", P256: "prime256v1", P384: "secp384r1", P521: "secp521r1" };

export const keyInputs = z.strictObject({
  algorithm: z.enum(["RSA", "ECDSA", "ED25519"]),
  rsaBits: z.int().default(2048),
  ecdsaCurve: z.literal(Object.keys(curves) as (keyof typeof curves)[]).default("P224"),
});

export function createKey(inputs: z.output<typeof keyInputs>): Created {
  const key = generateKey(inputs);
  const publicKey = createPublicKey(key);
  const forms = { RSA: "pkcs1", ECDSA: "sec1", ED25519: "pkcs8" } as const;
  const pem = (type: "pkcs1" | "sec1" | "pkcs8") => asSecret(String(key.export({ format: "pem", type })));
  return {
    id: createHash("sha1")
      .update(publicKey.export({ format: "der", type: "spki" }))
      .digest("hex"),
    properties: {
      privateKeyPem: pem(forms[inputs.algorithm]),
      privateKeyPemPkcs8: pem("pkcs8"),
      publicKeyPem: String(publicKey.export({ format: "pem", type: "spki" })),
      ...(inputs.algorithm === "ED25519"
        ? openSshForms(key)
        : { privateKeyOpenssh: asSecret(""), publicKeyOpenssh: "" }),
    },
  };
}

/**
 * An ED25519 key in the formats of OpenSSH.
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
 */
function openSshForms(key: KeyObject) {
  const { d, x } = key.export({ format: "jwk" });
  const [seed, point] = [d!, x!].map((part) => Buffer.from(part, "base64url"));
  const publicBlob = Buffer.concat([field("ssh-ed25519"), field(point)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, publicBlob, field(Buffer.concat([seed, point])), field("")]);
  const padding = Buffer.from(range(1, 1 + ((8 - (secret.length % 8)) % 8)));
  const body = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    ...["none", "none", ""].map(field), // cipher, key derivation and its options
    Buffer.from([0, 0, 0, 1]), // number of keys
    field(publicBlob),
    field(Buffer.concat([secret, padding])),
  ]);
  const lines = body.toString("base64").match(/.{1,70}/g)!;
  const pem = ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
  return { privateKeyOpenssh: asSecret(pem), publicKeyOpenssh: `ssh-ed25519 ${publicBlob.toString("base64")}\n` };
}

/** Bytes with their length before them. */
function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function generateKey({ algorithm, rsaBits, ecdsaCurve }: z.output<typeof keyInputs>): KeyObject {
  switch (algorithm) {
    case "RSA":
      return generateKeyPairSync("rsa", { modulusLength: rsaBits }).privateKey;
    case "ECDSA":
      return generateKeyPairSync("ec", { namedCurve: curves[ecdsaCurve] }).privateKey;
    case "ED25519":
      return generateKeyPairSync("ed25519").privateKey;
  }
}

export function parsePrivateKey(pem: string, property: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new PluginError(`${property} is not a private key in PEM`);
  }
}

/** The name of a key's algorithm in the outputs of certificates. */
export function algorithmOf({ asymmetricKeyType: type = "ed25519" }: KeyObject): string {
  return type === "ec" ? "ECDSA" : type.toUpperCase();
}
