import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import { createHash, createPublicKey, type KeyObject, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { publicKeyOf, signCertificate, signingAlgorithmOf } from "../../control-plane/certificates";
import { messageOf } from "../../host/labError";
import { PluginError } from "../pluginError";
import type { Created } from "../provider";
import type { CertificateInputs, LocallySignedInputs, RequestInputs, SelfSignedInputs, Use } from "./tlsPlugin";
import { algorithmOf, parsePrivateKey } from "./keys";

const uses: Record<Use, x509.KeyUsageFlags | x509.ExtendedKeyUsage> = {
  cert_signing: x509.KeyUsageFlags.keyCertSign,
  client_auth: x509.ExtendedKeyUsage.clientAuth,
  crl_signing: x509.KeyUsageFlags.cRLSign,
  digital_signature: x509.KeyUsageFlags.digitalSignature,
  key_encipherment: x509.KeyUsageFlags.keyEncipherment,
  server_auth: x509.ExtendedKeyUsage.serverAuth,
};

const HOUR_MS = 3_600_000;

export async function signSelf(inputs: SelfSignedInputs): Promise<Created> {
  const key = parsePrivateKey(inputs.privateKeyPem, "privateKeyPem");
  const subject = nameOf(inputs);
  const { id, properties } = await sign(inputs, { subject, issuer: subject, publicKey: publicKeyOf(key), signer: key });
  return { id, properties: { ...properties, keyAlgorithm: algorithmOf(key) } };
}

const nameOf = ({ subject: { commonName, organization } }: Pick<SelfSignedInputs, "subject">): x509.Name =>
  new x509.Name([...(organization ? [{ O: [organization] }] : []), { CN: [commonName] }]);

export async function makeRequest(inputs: RequestInputs): Promise<Created> {
  const key = parsePrivateKey(inputs.privateKeyPem, "privateKeyPem");
  const names = [
    ...inputs.dnsNames.map((value) => ({ type: "dns", value }) as const),
    ...inputs.ipAddresses.map((value) => ({ type: "ip", value }) as const),
  ];
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: nameOf(inputs),
    ...(await signingKeys(key)),
    extensions: names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : [],
  });
  const certRequestPem = `${request.toString("pem")}\n`;
  const id = createHash("sha1").update(certRequestPem).digest("hex");
  return { id, properties: { certRequestPem, keyAlgorithm: algorithmOf(key) } };
}

/** A key as Web Crypto signs with it. */
async function signingKeys(key: KeyObject) {
  const [secret, open] = [key.export({ format: "jwk" }), createPublicKey(key).export({ format: "jwk" })];
  const signingAlgorithm = signingAlgorithmOf(secret);
  const load = (jwk: typeof secret, use: "sign" | "verify") =>
    webcrypto.subtle.importKey("jwk", jwk, signingAlgorithm, true, [use]);
  return {
    keys: { privateKey: await load(secret, "sign"), publicKey: await load(open, "verify") },
    signingAlgorithm,
  };
}

/** Signs the subject, key and alternative names of a request, after verifying the request's signature. */
export async function signRequest(inputs: LocallySignedInputs): Promise<Created> {
  const signer = parsePrivateKey(inputs.caPrivateKeyPem, "caPrivateKeyPem");
  const ca = parse("caCertPem", () => new x509.X509Certificate(inputs.caCertPem));
  const request = parse("certRequestPem", () => new x509.Pkcs10CertificateRequest(inputs.certRequestPem));
  if (!(await request.verify())) throw new PluginError("certRequestPem: the signature is not valid");
  const names = request.extensions.find((item) => item instanceof x509.SubjectAlternativeNameExtension);
  // The certificate has an authority key id only if the issuer's certificate has a subject key id.
  const caKey = ca.extensions.find((item) => item instanceof x509.SubjectKeyIdentifierExtension);
  const extensions = [
    ...(caKey ? [new x509.AuthorityKeyIdentifierExtension(caKey.keyId)] : []),
    ...(names ? [names] : []),
  ];
  const certificate = {
    subject: request.subjectName,
    issuer: ca.subjectName,
    publicKey: request.publicKey,
    signer,
    extensions,
  };
  const { id, properties } = await sign(inputs, certificate);
  return { id, properties: { ...properties, caKeyAlgorithm: algorithmOf(signer) } };
}

type Certificate = Omit<Parameters<typeof signCertificate>[0], "notBefore" | "notAfter">;

async function sign(inputs: CertificateInputs, { extensions = [], ...certificate }: Certificate): Promise<Created> {
  const { isCaCertificate, setSubjectKeyId, validityPeriodHours } = inputs;
  const marks = inputs.allowedUses.map((use) => uses[use]);
  const usage = marks.reduce<number>((flags, mark) => (typeof mark === "number" ? flags | mark : flags), 0);
  const extended = marks.filter((mark) => typeof mark === "string");
  const notBefore = new Date();
  const notAfter = new Date(notBefore.getTime() + validityPeriodHours * HOUR_MS);
  const signed = await signCertificate({
    ...certificate,
    notBefore,
    notAfter,
    extensions: [
      ...(usage ? [new x509.KeyUsagesExtension(usage, true)] : []),
      ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : []),
      new x509.BasicConstraintsExtension(isCaCertificate, undefined, true),
      ...(isCaCertificate || setSubjectKeyId
        ? [await x509.SubjectKeyIdentifierExtension.create(certificate.publicKey)]
        : []),
      ...extensions,
    ],
  });
  return {
    id: BigInt(`0x${signed.serialNumber}`).toString(),
    properties: {
      certPem: `${signed.toString("pem")}\n`,
      validityStartTime: notBefore.toISOString(),
      validityEndTime: notAfter.toISOString(),
      readyForRenewal: false,
    },
  };
}

function parse<T>(input: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new PluginError(`${input} cannot be read: ${messageOf(error)}`);
  }
}
