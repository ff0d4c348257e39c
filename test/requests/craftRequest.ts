import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import * as x509 from "@peculiar/x509";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export const P384 = { ...P256, namedCurve: "P-384" };
export const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

export const dns = (value: string) => ({ type: "dns", value }) as const;
export const ip = (value: string) => ({ type: "ip", value }) as const;

/** The parts of a request for a serving certificate. Missing parts are those of worker-1 on 10.0.1.11. */
export interface RequestParts {
  readonly subject?: x509.JsonNameParams;
  readonly names?: x509.JsonGeneralNames;
  readonly extensions?: x509.Extension[];
  readonly attributes?: x509.Attribute[];
  readonly algorithm?: typeof P256 | typeof RSA;
}

/** Makes a certificate request in PEM, with a new key. */
export async function craftRequest({
  subject = [{ O: ["system:nodes"] }, { CN: ["system:node:worker-1"] }],
  names = [dns("worker-1"), ip("10.0.1.11")],
  extensions = [],
  attributes,
  algorithm = P256,
}: RequestParts = {}): Promise<string> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.Name(subject),
    keys: await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]),
    signingAlgorithm: algorithm,
    extensions: [...(names.length ? [new x509.SubjectAlternativeNameExtension(names)] : []), ...extensions],
    attributes,
  });
  return `${request.toString("pem")}\n`;
}
