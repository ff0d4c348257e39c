import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import { createPublicKey, randomBytes, webcrypto, type KeyObject } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { PluginError, messageOf } from "../errors";
import { algorithmOf } from "./keys";
import { extendedKeyUsages, keyUsages } from "./uses";

// Node's Web Crypto is the browser's, but for the names of its types.
x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

export interface Subject {
  [property: string]: string | string[] | undefined;
}

/** Subject fields in the order of an RFC 4519 name as the tls provider writes them. */
const subjectFields: [property: string, attribute: string][] = [
  ["country", "2.5.4.6"],
  ["organization", "2.5.4.10"],
  ["organizationalUnit", "2.5.4.11"],
  ["locality", "2.5.4.7"],
  ["province", "2.5.4.8"],
  ["streetAddresses", "2.5.4.9"],
  ["postalCode", "2.5.4.17"],
  ["commonName", "2.5.4.3"],
  ["serialNumber", "2.5.4.5"],
  ["emailAddress", "1.2.840.113549.1.9.1"],
];

export interface CertificateRequest {
  subject: x509.Name | Subject;
  publicKey: KeyObject;
  allowedUses: string[];
  alternativeNames: x509.JsonGeneralNames;
  isCa: boolean;
  maxPathLength: number | undefined;
  subjectKeyId: boolean;
  authorityKeyId: boolean;
  notBefore: Date;
  validityHours: number;
}

export interface Issuer {
  name: x509.Name | Subject;
  key: KeyObject;
  /** The identifier in the issuer's own certificate. */
  keyId: string | undefined;
}

export interface Certificate {
  pem: string;
  serial: string;
  notBefore: Date;
  notAfter: Date;
}

export async function issue(request: CertificateRequest, issuer: Issuer): Promise<Certificate> {
  if (request.isCa && nameOf(request.subject).toJSON().length === 0) {
    throw new PluginError("a certificate authority needs at least one distinguished name in its subject");
  }
  if (request.authorityKeyId && issuer.keyId === undefined) {
    throw new PluginError("could not determine the authority key identifier");
  }
  const { publicKey, notBefore } = request;
  const notAfter = new Date(notBefore.getTime() + request.validityHours * 3_600_000);
  const serialNumber = `00${randomBytes(16).toString("hex")}`;
  const algorithm = signingAlgorithm(issuer.key);
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    issuer.key.export({ format: "der", type: "pkcs8" }),
    algorithm,
    false,
    ["sign"],
  );
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber,
    subject: nameOf(request.subject),
    issuer: nameOf(issuer.name),
    notBefore,
    notAfter,
    publicKey: publicKeyOf(publicKey),
    signingKey: signingKey,
    signingAlgorithm: algorithm,
    extensions: await extensionsOf(request, issuer),
  });
  const serial = BigInt(`0x${serialNumber}`).toString();
  return { pem: `${certificate.toString("pem")}\n`, serial, notBefore, notAfter };
}

async function extensionsOf(request: CertificateRequest, issuer: Issuer): Promise<x509.Extension[]> {
  const usage = request.allowedUses.reduce((flags, use) => flags | (keyUsages[use] ?? 0), 0);
  const extended = request.allowedUses.flatMap((use) => extendedKeyUsages[use] ?? []);
  return [
    ...(usage ? [new x509.KeyUsagesExtension(usage, true)] : []),
    ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : []),
    new x509.BasicConstraintsExtension(request.isCa, request.isCa ? request.maxPathLength : undefined, true),
    ...(request.isCa || request.subjectKeyId
      ? [new x509.SubjectKeyIdentifierExtension(await keyIdOf(request.publicKey))]
      : []),
    ...(request.authorityKeyId ? [new x509.AuthorityKeyIdentifierExtension(issuer.keyId ?? "")] : []),
    ...(request.alternativeNames.length > 0
      ? [new x509.SubjectAlternativeNameExtension(request.alternativeNames)]
      : []),
  ];
}

function nameOf(subject: x509.Name | Subject): x509.Name {
  if (subject instanceof x509.Name) return subject;
  const parts = subjectFields.flatMap(([property, attribute]): x509.JsonName => {
    const value = subject[property];
    if (value === undefined || value.length === 0) return [];
    return [{ [attribute]: Array.isArray(value) ? value : [value] }];
  });
  return new x509.Name(parts);
}

/** SHA-1 of the public key's bits (RFC 5280, section 4.2.1.2). */
export async function keyIdOf(key: KeyObject): Promise<string> {
  return Buffer.from(await publicKeyOf(key).getKeyIdentifier()).toString("hex");
}

function publicKeyOf(key: KeyObject): x509.PublicKey {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return new x509.PublicKey(publicKey.export({ format: "der", type: "spki" }));
}

interface Algorithm {
  name: string;
  hash?: string;
  namedCurve?: string;
}

function signingAlgorithm(key: KeyObject): Algorithm {
  switch (algorithmOf(key)) {
    case "RSA":
      return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    case "ED25519":
      return { name: "Ed25519" };
    case "ECDSA": {
      const { namedCurve = "" } = key.asymmetricKeyDetails ?? {};
      const curve = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" }[namedCurve] ?? namedCurve;
      const hash = { "P-256": "SHA-256", "P-384": "SHA-384", "P-521": "SHA-512" }[curve];
      if (hash === undefined) throw new PluginError(`the stand-in plugin signs with P256, P384 and P521, not ${curve}`);
      return { name: "ECDSA", namedCurve: curve, hash };
    }
  }
}

/** What to certify, from a PKCS#10 request whose own signature is checked. */
export async function parseRequest(
  pem: string,
): Promise<{ subject: x509.Name; publicKey: KeyObject; alternativeNames: x509.JsonGeneralNames }> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    if (!(await request.verify())) throw new Error("its signature does not match");
    const extension = request.extensions.find((item) => item instanceof x509.SubjectAlternativeNameExtension);
    return {
      subject: request.subjectName,
      publicKey: createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" }),
      alternativeNames: extension?.names.toJSON() ?? [],
    };
  } catch (error) {
    throw new PluginError(`certRequestPem holds no certificate request that can be used: ${messageOf(error)}`);
  }
}

export function parseAuthority(pem: string): { name: x509.Name; keyId: string | undefined } {
  try {
    const certificate = new x509.X509Certificate(pem);
    const identifier = certificate.extensions.find((item) => item instanceof x509.SubjectKeyIdentifierExtension);
    return { name: certificate.subjectName, keyId: identifier?.keyId };
  } catch (error) {
    throw new PluginError(`caCertPem holds no certificate that can be used: ${messageOf(error)}`);
  }
}
