import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { type ParsedKey, utils } from "ssh2";
import { tlsPlugin } from "../../../lab/plugins/tls/tlsPlugin";
import { type Plugin } from "../../pluginClient";
import { isSecret, type Json, UNKNOWN, unwrapSecrets } from "../../protocolValues";
import { ServedPlugin } from "./servedPlugin";

const privateKey = { type: "tls:index/privateKey:PrivateKey" };
const selfSigned = { type: "tls:index/selfSignedCert:SelfSignedCert" };
const locallySigned = { type: "tls:index/locallySignedCert:LocallySignedCert" };

let served: ServedPlugin;
let plugin: Plugin;
beforeAll(async () => ({ plugin } = served = await ServedPlugin.start(tlsPlugin)));
afterAll(() => served.stop());

describe("tls.PrivateKey", () => {
  test.each([
    ["RSA", {}, "BEGIN RSA PRIVATE KEY"],
    ["ECDSA", {}, "BEGIN EC PRIVATE KEY"],
    ["ECDSA", { ecdsaCurve: "P521" }, "BEGIN EC PRIVATE KEY"],
    ["ED25519", {}, "BEGIN PRIVATE KEY"],
  ])("makes an %s key %j in every format", async (algorithm, options, preamble) => {
    const { id, outputs } = await plugin.make(privateKey, { algorithm, ...options });
    expect(isSecret(outputs.privateKeyPem)).toBe(true);
    expect(isSecret(outputs.privateKeyPemPkcs8)).toBe(true);
    const values = unwrapSecrets(outputs);
    expect(values.privateKeyPem).toContain(preamble);
    for (const form of [values.privateKeyPem, values.privateKeyPemPkcs8, values.publicKeyPem]) {
      const spki = createPublicKey(form).export({ format: "der", type: "spki" });
      expect(id).toBe(createHash("sha1").update(spki).digest("hex"));
    }
  });

  test("makes an ED25519 key in the formats of OpenSSH", async () => {
    const { outputs } = await plugin.make(privateKey, { algorithm: "ED25519" });
    expect(isSecret(outputs.privateKeyOpenssh)).toBe(true);
    const { privateKeyOpenssh, publicKeyOpenssh } = unwrapSecrets(outputs);
    const key = utils.parseKey(privateKeyOpenssh as string) as ParsedKey;
    expect(key.isPrivateKey()).toBe(true);
    expect(`${key.type} ${key.getPublicSSH().toString("base64")}\n`).toBe(publicKeyOpenssh);
  });

  test("refuses an unknown algorithm", async () => {
    await expect(plugin.make(privateKey, { algorithm: "DSA" })).rejects.toThrow(
      'algorithm: Invalid option: expected one of "RSA"|"ECDSA"|"ED25519"',
    );
  });
});

describe("certificates", () => {
  const subject = { commonName: "ca", organization: "org" };
  const authority = async (more: Json = {}) => {
    const key = await plugin.make(privateKey, { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const inputs: Json = {
      ...{ privateKeyPem: key.outputs.privateKeyPem, subject, allowedUses: ["cert_signing", "digital_signature"] },
      ...{ validityPeriodHours: 48, isCaCertificate: true, ...more },
    };
    return { key, inputs, certificate: await plugin.make(selfSigned, inputs) };
  };

  test("can be self-signed authorities", async () => {
    const { certificate } = await authority();
    const { id, outputs } = certificate;
    const x509 = new X509Certificate(outputs.certPem);
    expect(x509.subject).toBe("O=org\nCN=ca");
    expect(x509.issuer).toBe(x509.subject);
    expect(x509.ca).toBe(true);
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(BigInt(`0x${x509.serialNumber}`).toString()).toBe(id);
    expect(Date.parse(outputs.validityEndTime) - Date.parse(outputs.validityStartTime)).toBe(48 * 3_600_000);
    expect(outputs).toMatchObject({ keyAlgorithm: "ECDSA", readyForRenewal: false });
  });

  test("have unknown text and times in a preview", async () => {
    const { key } = await authority();
    const inputs = { privateKeyPem: key.outputs.privateKeyPem, subject, allowedUses: [], validityPeriodHours: 1 };
    const { id, outputs } = await plugin.make(selfSigned, inputs, { preview: true });
    expect(id).toBe("");
    expect(outputs).toMatchObject({ certPem: UNKNOWN, validityStartTime: UNKNOWN, isCaCertificate: false });
  });

  test.each([
    [{ subject: {} }, "subject.commonName: Invalid input"],
    [{ allowedUses: ["sing"] }, "allowedUses[0]: Invalid option: expected one of"],
    [{ dnsNames: ["a.example"] }, 'Unrecognized key: "dnsNames"'],
  ])("are refused with %j", async (inputs, message) => {
    await expect(authority(inputs)).rejects.toThrow(message);
  });

  test.each([
    ["RSA", {}],
    ["ED25519", {}],
    ["ECDSA", { ecdsaCurve: "P384" }],
  ])("can have an %s key %j", async (algorithm, options) => {
    const { outputs } = await plugin.make(privateKey, { algorithm, ...options });
    const { certificate } = await authority({ privateKeyPem: outputs.privateKeyPem });
    const x509 = new X509Certificate(certificate.outputs.certPem);
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(certificate.outputs.keyAlgorithm).toBe(algorithm);
  });

  test("are updated in place for earlyRenewalHours, and replaced for other changes", async () => {
    const { certificate, inputs } = await authority();
    const diff = async (news: Json) => (await plugin.diff(selfSigned, certificate, { ...inputs, ...news })).detailed;
    expect(await diff({ earlyRenewalHours: 5 })).toEqual({ earlyRenewalHours: "update" });
    expect(await diff({ subject: { ...subject, commonName: "x" } })).toEqual({ subject: "update-replace" });
    expect(await diff({ isCaCertificate: false })).toEqual({ isCaCertificate: "update-replace" });
    expect(await diff({ earlyRenewalHours: 0 })).toEqual({});
  });

  test("are replaced once they are due for renewal, also without a refresh", async () => {
    const { certificate, inputs } = await authority({ earlyRenewalHours: 24 });
    const at = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
    const aged = async (hours: number) => {
      const outputs = { ...certificate.outputs, validityEndTime: at(hours) };
      return (await plugin.diff(selfSigned, { ...certificate, outputs }, inputs)).detailed;
    };
    expect(await aged(25)).toEqual({});
    expect(await aged(23)).toEqual({ readyForRenewal: "update-replace" });
    const outputs = { ...certificate.outputs, validityEndTime: at(23) };
    const refreshed = await plugin.read(selfSigned, { ...certificate, outputs });
    expect(refreshed?.outputs).toEqual({ ...outputs, readyForRenewal: true });
  });

  test("have the names of the request when an authority signs them", async () => {
    const { key, certificate } = await authority({ setSubjectKeyId: true });
    // openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj "/O=system:nodes/CN=system:node:w1"
    //   -addext "subjectAltName=DNS:w1,IP:10.0.0.1" (the key has been thrown away)
    const certRequestPem = [
      "-----BEGIN CERTIFICATE REQUEST-----",
      ...request,
      "-----END CERTIFICATE REQUEST-----",
      "",
    ].join("\n");
    const inputs: Json = {
      ...{ caCertPem: certificate.outputs.certPem, caPrivateKeyPem: key.outputs.privateKeyPem },
      ...{ certRequestPem, allowedUses: ["server_auth", "digital_signature"], validityPeriodHours: 12 },
    };
    const { outputs } = await plugin.make(locallySigned, inputs);
    const x509 = new X509Certificate(outputs.certPem);
    const issuer = new X509Certificate(certificate.outputs.certPem);
    expect(x509.subject).toBe("O=system:nodes\nCN=system:node:w1");
    expect(x509.subjectAltName).toBe("DNS:w1, IP Address:10.0.0.1");
    expect(x509.checkIssued(issuer)).toBe(true);
    expect(x509.verify(issuer.publicKey)).toBe(true);
    expect(x509.ca).toBe(false);
    expect(x509.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(outputs.caKeyAlgorithm).toBe("ECDSA");
    const broken = { ...inputs, certRequestPem: "nonsense" };
    await expect(plugin.make(locallySigned, broken)).rejects.toThrow("certRequestPem cannot be read");
  });
});

const request = [
  "MIIBEDCBuAIBADAwMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5",
  "c3RlbTpub2RlOncxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEq6J2d8Y0Nb+i",
  "gs9G3iQASNWZdN1aFqkb1qPDSfUWYy0+otSGK0Sm3jgQL1hVLJaaMBv++2UhMqOG",
  "5Ua7EJKC0aAmMCQGCSqGSIb3DQEJDjEXMBUwEwYDVR0RBAwwCoICdzGHBAoAAAEw",
  "CgYIKoZIzj0EAwIDRwAwRAIgBoE5g+lZaIePJY0P6cKub53WvPbWQzN/Mczn2hHN",
  "2pICIA9BX+kUthGFzYdbRDirwtpAU0SDLVkN7w4QNcjI4KxF",
];
