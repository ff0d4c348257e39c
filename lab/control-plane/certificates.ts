import "reflect-metadata"; // @peculiar/x509 can't be loaded without it
import { generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import * as x509 from "@peculiar/x509";
import { PRIVATE, PUBLIC, writeFileAtomic } from "../system/files";

/** Certificates and their keys, as PEM texts. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  /** Host names and IP addresses: makes it a serving certificate too. */
  readonly hosts?: readonly string[];
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 3600 * 1000;
const AUTHORITY_DAYS = 3650;
const CERTIFICATE_DAYS = 365;
/** `up` renews what would expire within this time. */
const RENEW_DAYS = 30;
/** Clocks of machines differ a little. */
const BACKDATE_MS = 5 * 60 * 1000;

const { subtle } = webcrypto;

const validity = (now: Date, days: number): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(now.getTime() - BACKDATE_MS),
  notAfter: new Date(now.getTime() + days * DAY_MS),
});

const serialNumber = (): string => `01${randomBytes(15).toString("hex")}`;

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

/** A new certificate authority. */
export async function createAuthority(commonName: string, now: Date): Promise<Pair> {
  const keys = await subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    serialNumber: serialNumber(),
    ...validity(now, AUTHORITY_DAYS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString("pem")}\n`, key: await privateKeyPem(keys.privateKey) };
}

/** A new key with a certificate for it, signed by the authority. */
export async function issueCertificate(authority: Pair, request: CertificateRequest, now: Date): Promise<Pair> {
  const keys = await subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(authority.key), ALGORITHM, false, [
    "sign",
  ]);
  const hosts = request.hosts ?? [];
  const usages = [x509.ExtendedKeyUsage.clientAuth, ...(hosts.length > 0 ? [x509.ExtendedKeyUsage.serverAuth] : [])];
  const isAddress = (host: string): boolean => /^[\d.]+$/.test(host);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [...(request.organization ? [{ O: [request.organization] }] : []), { CN: [request.commonName] }],
    issuer: issuer.subject,
    serialNumber: serialNumber(),
    ...validity(now, CERTIFICATE_DAYS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(hosts.length > 0
        ? [
            new x509.SubjectAlternativeNameExtension(
              hosts.map((value) => ({ type: isAddress(value) ? "ip" : "dns", value }) as const),
            ),
          ]
        : []),
    ],
  });
  return { certificate: `${certificate.toString("pem")}\n`, key: await privateKeyPem(keys.privateKey) };
}

/** A key pair for signing service account tokens. */
export function createSigningKey(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

/** The pair kept as `<path>.crt` and `<path>.key`; made when it is missing, incomplete, of another issuer or about to expire. */
export async function ensurePair(path: string, now: Date, create: () => Promise<Pair>, issuer?: Pair): Promise<Pair> {
  const files = { certificate: `${path}.crt`, key: `${path}.key` };
  if (existsSync(files.certificate) && existsSync(files.key)) {
    const kept = { certificate: await readFile(files.certificate, "utf8"), key: await readFile(files.key, "utf8") };
    if (isGood(kept.certificate, now, issuer)) {
      return kept;
    }
  }
  const pair = await create();
  // The certificate last: its presence says that its key is there too.
  await writeFileAtomic(files.key, pair.key, PRIVATE);
  await writeFileAtomic(files.certificate, pair.certificate, PUBLIC);
  return pair;
}

function isGood(pem: string, now: Date, issuer?: Pair): boolean {
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
