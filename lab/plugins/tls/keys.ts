import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
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
    },
  };
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
