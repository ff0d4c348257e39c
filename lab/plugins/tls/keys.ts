import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { Secret, type Props } from "../values";
import { PluginError } from "../errors";

export type KeyAlgorithm = "RSA" | "ECDSA" | "ED25519";

const curves: Record<string, string> = { P224: "secp224r1", P256: "prime256v1", P384: "secp384r1", P521: "secp521r1" };
export const curveNames = Object.keys(curves);

export function generateKey(algorithm: string, options: { rsaBits: number; curve: string }): KeyObject {
  switch (algorithm) {
    case "RSA":
      return generateKeyPairSync("rsa", { modulusLength: options.rsaBits }).privateKey;
    case "ECDSA":
      return generateKeyPairSync("ec", { namedCurve: curves[options.curve] ?? "" }).privateKey;
    default:
      return generateKeyPairSync("ed25519").privateKey;
  }
}

export function algorithmOf(key: KeyObject): KeyAlgorithm {
  const type = key.asymmetricKeyType ?? "unknown";
  const algorithms: Record<string, KeyAlgorithm> = { rsa: "RSA", ec: "ECDSA", ed25519: "ED25519" };
  const algorithm = algorithms[type];
  if (!algorithm) throw new PluginError(`unsupported key type ${type}`);
  return algorithm;
}

export function parsePrivateKey(pem: string, property: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new PluginError(`${property} holds no private key in PEM that can be read`);
  }
}

/** All the forms in which the tls provider gives a key. */
export function describeKey(key: KeyObject): { id: string; outputs: Props } {
  const publicKey = createPublicKey(key);
  const spki = publicKey.export({ format: "der", type: "spki" });
  const pkcs8 = String(key.export({ format: "pem", type: "pkcs8" }));
  const forms = { RSA: "pkcs1", ECDSA: "sec1", ED25519: "pkcs8" } as const;
  const privateKeyPem = String(key.export({ format: "pem", type: forms[algorithmOf(key)] }));
  return {
    id: createHash("sha1").update(spki).digest("hex"),
    outputs: {
      privateKeyPem: new Secret(privateKeyPem),
      privateKeyPemPkcs8: new Secret(pkcs8),
      publicKeyPem: String(publicKey.export({ format: "pem", type: "spki" })),
      ...describeSsh(key),
    },
  };
}

/** OpenSSH knows no P-224; the provider leaves these empty then. */
function describeSsh(key: KeyObject): Props {
  const openssh = openSshPrivateKey(key);
  if (openssh === undefined) {
    return {
      privateKeyOpenssh: new Secret(""),
      publicKeyOpenssh: "",
      publicKeyFingerprintMd5: "",
      publicKeyFingerprintSha256: "",
    };
  }
  const { type, blob } = publicBlob(key);
  const md5 = createHash("md5").update(blob).digest("hex").match(/../g) ?? [];
  return {
    privateKeyOpenssh: new Secret(openssh),
    publicKeyOpenssh: `${type} ${blob.toString("base64")}\n`,
    publicKeyFingerprintMd5: md5.join(":"),
    publicKeyFingerprintSha256: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
  };
}

const sshCurves: Record<string, string> = { "P-256": "nistp256", "P-384": "nistp384", "P-521": "nistp521" };

/** The public key in SSH's wire format. */
function publicBlob(key: KeyObject): { type: string; blob: Buffer } {
  const jwk = createPublicKey(key).export({ format: "jwk" });
  switch (algorithmOf(key)) {
    case "RSA":
      return { type: "ssh-rsa", blob: fields("ssh-rsa", mpint(jwk.e), mpint(jwk.n)) };
    case "ED25519":
      return { type: "ssh-ed25519", blob: fields("ssh-ed25519", base64(jwk.x)) };
    case "ECDSA": {
      const curve = sshCurves[jwk.crv ?? ""] ?? "";
      const type = `ecdsa-sha2-${curve}`;
      return { type, blob: fields(type, curve, Buffer.concat([Buffer.from([4]), base64(jwk.x), base64(jwk.y)])) };
    }
  }
}

/** An unencrypted `openssh-key-v1` file. */
function openSshPrivateKey(key: KeyObject): string | undefined {
  const algorithm = algorithmOf(key);
  if (key.asymmetricKeyDetails?.namedCurve === curves.P224) return undefined;
  const jwk = key.export({ format: "jwk" });
  const { type, blob } = publicBlob(key);
  const secretFields = {
    RSA: () => fields(type, mpint(jwk.n), mpint(jwk.e), mpint(jwk.d), mpint(jwk.qi), mpint(jwk.p), mpint(jwk.q)),
    ED25519: () => Buffer.concat([blob, fields(Buffer.concat([base64(jwk.d), base64(jwk.x)]))]),
    ECDSA: () => Buffer.concat([blob, fields(mpint(jwk.d))]),
  }[algorithm]();
  const check = createHash("sha256").update(blob).digest().subarray(0, 4);
  const unpadded = Buffer.concat([check, check, secretFields, fields("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (unpadded.length % 8)) % 8 }, (_, i) => i + 1));
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    fields("none", "none", ""),
    Buffer.from([0, 0, 0, 1]),
    fields(blob, Buffer.concat([unpadded, padding])),
  ]);
  const lines = file.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}

function base64(text: string | undefined): Buffer {
  return Buffer.from(text ?? "", "base64url");
}

/** A positive number: no leading zeros, but one where the first bit is set. */
function mpint(text: string | undefined): Buffer {
  const bytes = base64(text);
  const start = bytes.findIndex((byte) => byte !== 0);
  const trimmed = bytes.subarray(Math.max(0, start));
  return (trimmed[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed;
}

function fields(...parts: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part as string);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
