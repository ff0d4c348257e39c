import "reflect-metadata"; // @peculiar/x509 can't be loaded without it
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  webcrypto,
  X509Certificate,
} from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { OWNER_ONLY, WORLD_READABLE, writeFileAtomic } from "../host/files";

/** A certificate and its private key in PEM. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  /** Host names and IP addresses. They make the certificate valid for servers, too. */
  readonly hosts?: readonly string[];
}

const DAY_MS = 24 * 3600 * 1000;
const AUTHORITY_DAYS = 3650;
const CERTIFICATE_DAYS = 365;
/** `up` renews a certificate that expires within this time. */
const RENEW_DAYS = 30;
/** Start of validity before now, for machines whose clock is behind. */
const BACKDATE_MS = 5 * 60 * 1000;

const validity = (now: Date, days: number): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(now.getTime() - BACKDATE_MS),
  notAfter: new Date(now.getTime() + days * DAY_MS),
});

const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;

export const publicKeyOf = (key: KeyObject): x509.PublicKey =>
  new x509.PublicKey(createPublicKey(key).export({ format: "der", type: "spki" }));

export interface CertificateParameters {
  readonly subject: x509.Name;
  readonly publicKey: x509.PublicKey;
  readonly issuer: x509.Name;
  /** The issuer's private key. */
  readonly signer: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions?: x509.Extension[];
}

/** Signs a certificate with a random serial number. */
export async function signCertificate({ signer, ...parameters }: CertificateParameters): Promise<x509.X509Certificate> {
  const jwk = signer.export({ format: "jwk" });
  const signingAlgorithm = signingAlgorithmOf(jwk);
  return x509.X509CertificateGenerator.create({
    ...parameters,
    serialNumber: `01${randomBytes(15).toString("hex")}`,
    signingKey: await webcrypto.subtle.importKey("jwk", jwk, signingAlgorithm, false, ["sign"]),
    signingAlgorithm,
  });
}

/** The signature algorithm of a key, as Web Crypto names it. */
export function signingAlgorithmOf({ kty, crv = "" }: JsonWebKey): {
  name: string;
  hash?: string;
  namedCurve?: string;
} {
  if (kty === "RSA") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  if (kty === "OKP") return { name: "Ed25519" };
  return { name: "ECDSA", namedCurve: crv, hash: { "P-384": "SHA-384", "P-521": "SHA-512" }[crv] ?? "SHA-256" };
}

const pairOf = (certificate: x509.X509Certificate, key: KeyObject): CertificatePair => ({
  certificate: `${certificate.toString("pem")}\n`,
  key: String(key.export({ format: "pem", type: "pkcs8" })),
});

export async function createAuthority(commonName: string, now: Date): Promise<CertificatePair> {
  const key = newKey();
  const publicKey = publicKeyOf(key);
  const name = new x509.Name([{ CN: [commonName] }]);
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
  const certificate = await signCertificate({
    subject: name,
    publicKey,
    issuer: name,
    signer: key,
    ...validity(now, AUTHORITY_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign | digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return pairOf(certificate, key);
}

/** Makes a key and a certificate that the authority signs. */
export async function issueCertificate(
  authority: CertificatePair,
  request: CertificateRequest,
  now: Date,
): Promise<CertificatePair> {
  const key = newKey();
  const issuer = new x509.X509Certificate(authority.certificate);
  const { commonName, organization, hosts = [] } = request;
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const names = hosts.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }) as const);
  const certificate = await signCertificate({
    subject: new x509.Name([...(organization ? [{ O: [organization] }] : []), { CN: [commonName] }]),
    publicKey: publicKeyOf(key),
    issuer: issuer.subjectName,
    signer: createPrivateKey(authority.key),
    ...validity(now, CERTIFICATE_DAYS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(names.length > 0 ? [clientAuth, serverAuth] : [clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return pairOf(certificate, key);
}

export function createSigningKey(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

/**
 * Returns the certificate and key in `<path>.crt` and `<path>.key`.
 * @param create makes them when a file is missing, the issuer is another one, or the certificate expires soon
 */
export async function ensureCertificatePair(
  path: string,
  now: Date,
  create: () => Promise<CertificatePair>,
  issuer?: CertificatePair,
): Promise<CertificatePair> {
  const files = { certificate: `${path}.crt`, key: `${path}.key` };
  if (existsSync(files.certificate) && existsSync(files.key)) {
    const existing = { certificate: await readFile(files.certificate, "utf8"), key: await readFile(files.key, "utf8") };
    if (isUsable(existing.certificate, now, issuer)) {
      return existing;
    }
  }
  const pair = await create();
  // The key first, so that an interrupted command leaves no new certificate with an old key.
  await writeFileAtomic(files.key, pair.key, OWNER_ONLY);
  await writeFileAtomic(files.certificate, pair.certificate, WORLD_READABLE);
  return pair;
}

function isUsable(pem: string, now: Date, issuer?: CertificatePair): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const remaining = Date.parse(certificate.validTo) - now.getTime();
    return (
      remaining > RENEW_DAYS * DAY_MS &&
      (issuer === undefined || certificate.verify(new X509Certificate(issuer.certificate).publicKey))
    );
  } catch {
    return false;
  }
}
