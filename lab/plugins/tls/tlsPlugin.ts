import { z } from "zod";
import { StateProvider, statePlugin } from "../stateProvider";
import { createKey, keyInputs } from "./keys";
import type { Props } from "../propertyValues";

/** Loaded when a certificate is made. Loading takes 0.1 s, and a preview makes none. */
const certificates = () => import("./tlsCertificates.js");

const HOUR_MS = 3_600_000;

const uses = z.enum([
  "cert_signing",
  "client_auth",
  "crl_signing",
  "digital_signature",
  "key_encipherment",
  "server_auth",
]);

const common = {
  allowedUses: z.array(uses),
  validityPeriodHours: z.number().min(0),
  earlyRenewalHours: z.number().min(0).default(0),
  isCaCertificate: z.boolean().default(false),
  setSubjectKeyId: z.boolean().default(false),
  setAuthorityKeyId: z.literal(false).default(false),
};
const selfSigned = z.strictObject({
  ...common,
  privateKeyPem: z.string(),
  subject: z.strictObject({ commonName: z.string().min(1), organization: z.string().optional() }),
});
const certRequest = z.strictObject({
  privateKeyPem: z.string(),
  subject: selfSigned.shape.subject,
  dnsNames: z.array(z.string()).default([]),
  ipAddresses: z.array(z.string()).default([]),
});
const locallySigned = z.strictObject({
  ...common,
  certRequestPem: z.string(),
  caCertPem: z.string(),
  caPrivateKeyPem: z.string(),
});

export type Use = z.output<typeof uses>;
export type RequestInputs = z.output<typeof certRequest>;
export type SelfSignedInputs = z.output<typeof selfSigned>;
export type LocallySignedInputs = z.output<typeof locallySigned>;
export type CertificateInputs = Pick<SelfSignedInputs, keyof typeof common>;

/** What both kinds of certificates share. An update renews a certificate when `earlyRenewalHours` before its end have begun. */
const certificate = {
  computed: ["certPem", "validityStartTime", "validityEndTime", "readyForRenewal"],
  replaces: (input: string) => input !== "earlyRenewalHours",
  due: {
    output: "readyForRenewal",
    isDue: ({ earlyRenewalHours }: CertificateInputs, { validityEndTime }: Props) =>
      Date.now() >= Date.parse(validityEndTime as string) - earlyRenewalHours * HOUR_MS,
  },
};

export const tlsPlugin = statePlugin("tls", {
  "tls:index/privateKey:PrivateKey": () =>
    new StateProvider({
      inputs: keyInputs,
      computed: ["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh", "publicKeyPem", "publicKeyOpenssh"],
      replaces: () => true,
      create: createKey,
    }),
  "tls:index/selfSignedCert:SelfSignedCert": () =>
    new StateProvider({
      ...certificate,
      inputs: selfSigned,
      secrets: ["privateKeyPem"],
      computed: [...certificate.computed, "keyAlgorithm"],
      create: async (inputs) => (await certificates()).signSelf(inputs),
    }),
  "tls:index/certRequest:CertRequest": () =>
    new StateProvider({
      inputs: certRequest,
      secrets: ["privateKeyPem"],
      computed: ["certRequestPem", "keyAlgorithm"],
      replaces: () => true,
      create: async (inputs) => (await certificates()).makeRequest(inputs),
    }),
  "tls:index/locallySignedCert:LocallySignedCert": () =>
    new StateProvider({
      ...certificate,
      inputs: locallySigned,
      secrets: ["caPrivateKeyPem"],
      computed: [...certificate.computed, "caKeyAlgorithm"],
      create: async (inputs) => (await certificates()).signRequest(inputs),
    }),
});
