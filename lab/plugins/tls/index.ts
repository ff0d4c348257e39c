import { createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import type { JsonGeneralNames } from "@peculiar/x509";
import type { Props } from "../values";
import type { CheckFailure, Created } from "../provider";
import type { Certificate, Subject } from "./certificates";
import { algorithmOf, curveNames, describeKey, generateKey, parsePrivateKey } from "./keys";
import { isKnownUse } from "./uses";
import { number, object, text, texts, valuePackage, type ValueResource } from "../valueProvider";

/** Loaded when a certificate is made: loading takes 0.1 s, and a preview makes none. */
const certificates = () => createRequire(__filename)("./certificates") as typeof import("./certificates");

const hour = 3_600_000;
const readyForRenewal = "readyForRenewal";

const privateKey: ValueResource = {
  required: ["algorithm"],
  defaults: { rsaBits: 2048, ecdsaCurve: "P224" },
  computed: [
    "privateKeyPem",
    "privateKeyPemPkcs8",
    "privateKeyOpenssh",
    "publicKeyPem",
    "publicKeyOpenssh",
    "publicKeyFingerprintMd5",
    "publicKeyFingerprintSha256",
  ],
  validate(inputs) {
    const oneOf = (property: string, allowed: string[]): CheckFailure[] =>
      allowed.includes(text(inputs, property)) ? [] : [{ property, reason: `must be one of ${allowed.join(", ")}` }];
    return [...oneOf("algorithm", ["RSA", "ECDSA", "ED25519"]), ...oneOf("ecdsaCurve", curveNames)];
  },
  make(inputs) {
    const options = { rsaBits: number(inputs, "rsaBits"), curve: text(inputs, "ecdsaCurve") };
    return describeKey(generateKey(text(inputs, "algorithm"), options));
  },
};

const certificateDefaults: Props = {
  earlyRenewalHours: 0,
  isCaCertificate: false,
  setAuthorityKeyId: false,
  setSubjectKeyId: false,
};

/** A certificate that is to be renewed from its first moment. */
function derive(inputs: Props): Props {
  const [hours, early] = [number(inputs, "validityPeriodHours"), number(inputs, "earlyRenewalHours")];
  return { [readyForRenewal]: hours === 0 || early >= hours };
}

const certificateOutputs = ["certPem", "validityStartTime", "validityEndTime"];

function validateCertificate(inputs: Props): CheckFailure[] {
  const failures = texts(inputs, "allowedUses")
    .filter((use) => !isKnownUse(use))
    .map((use): CheckFailure => ({ property: "allowedUses", reason: `unknown use ${JSON.stringify(use)}` }));
  for (const property of ["validityPeriodHours", "earlyRenewalHours"]) {
    if (number(inputs, property) < 0) failures.push({ property, reason: "must be at least 0" });
  }
  return failures;
}

/** Due already on a plain preview: the clock is compared with the state, no refresh is needed. */
function dueForRenewal(outputs: Props, inputs: Props): string | undefined {
  const end = Date.parse(text(outputs, "validityEndTime"));
  return Date.now() >= end - number(inputs, "earlyRenewalHours") * hour ? readyForRenewal : undefined;
}

const selfSignedCert: ValueResource = {
  required: ["allowedUses", "privateKeyPem", "validityPeriodHours"],
  secrets: ["privateKeyPem"],
  defaults: certificateDefaults,
  computed: [...certificateOutputs, "keyAlgorithm"],
  inPlace: ["earlyRenewalHours"],
  validate: validateCertificate,
  derive,
  outdated: dueForRenewal,
  async make(inputs) {
    const key = parsePrivateKey(text(inputs, "privateKeyPem"), "privateKeyPem");
    const subject = object(inputs, "subject") as Subject;
    const names: JsonGeneralNames = [
      ...texts(inputs, "dnsNames").map((value) => ({ type: "dns" as const, value })),
      ...texts(inputs, "ipAddresses").map((value) => ({ type: "ip" as const, value })),
      ...texts(inputs, "uris").map((value) => ({ type: "url" as const, value })),
    ];
    const request = { ...common(inputs), subject, publicKey: createPublicKey(key), alternativeNames: names };
    const { issue, keyIdOf } = certificates();
    const keyId = request.isCa || request.subjectKeyId ? await keyIdOf(key) : undefined;
    const certificate = await issue(request, { name: subject, key, keyId });
    return created(certificate, { keyAlgorithm: algorithmOf(key) });
  },
};

const locallySignedCert: ValueResource = {
  required: ["allowedUses", "caCertPem", "caPrivateKeyPem", "certRequestPem", "validityPeriodHours"],
  secrets: ["caPrivateKeyPem"],
  defaults: certificateDefaults,
  computed: [...certificateOutputs, "caKeyAlgorithm"],
  inPlace: ["earlyRenewalHours"],
  validate: validateCertificate,
  derive,
  outdated: dueForRenewal,
  async make(inputs) {
    const key = parsePrivateKey(text(inputs, "caPrivateKeyPem"), "caPrivateKeyPem");
    const { issue, parseAuthority, parseRequest } = certificates();
    const { name, keyId } = parseAuthority(text(inputs, "caCertPem"));
    const request = { ...common(inputs), ...(await parseRequest(text(inputs, "certRequestPem"))) };
    // A certificate of another's names its issuer's key, whether asked to or not, if that is known.
    const authorityKeyId = request.authorityKeyId || keyId !== undefined;
    const certificate = await issue({ ...request, authorityKeyId }, { name, key, keyId });
    return created(certificate, { caKeyAlgorithm: algorithmOf(key) });
  },
};

function common(inputs: Props) {
  const { maxPathLength } = inputs;
  return {
    allowedUses: texts(inputs, "allowedUses"),
    isCa: inputs.isCaCertificate === true,
    maxPathLength: typeof maxPathLength === "number" && maxPathLength >= 0 ? maxPathLength : undefined,
    subjectKeyId: inputs.setSubjectKeyId === true,
    authorityKeyId: inputs.setAuthorityKeyId === true,
    notBefore: new Date(),
    validityHours: number(inputs, "validityPeriodHours"),
  };
}

function created({ pem, serial, notBefore, notAfter }: Certificate, more: Props): Created {
  const times = { validityStartTime: notBefore.toISOString(), validityEndTime: notAfter.toISOString() };
  return { id: serial, outputs: { certPem: pem, ...times, ...more } };
}

const resources: Record<string, ValueResource> = {
  "tls:index/privateKey:PrivateKey": privateKey,
  "tls:index/selfSignedCert:SelfSignedCert": selfSignedCert,
  "tls:index/locallySignedCert:LocallySignedCert": locallySignedCert,
};

export const tls = valuePackage("tls", resources);
