import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { utils, type ParsedKey } from "ssh2";
import { tls } from "../../../lab/plugins/tls";
import { isSecret, type Json, plain, type Plugin, UNKNOWN } from "../../pluginClient";
import { ServedPlugin } from "./inProcess";

const privateKey = { type: "tls:index/privateKey:PrivateKey" };
const selfSigned = { type: "tls:index/selfSignedCert:SelfSignedCert" };
const locallySigned = { type: "tls:index/locallySignedCert:LocallySignedCert" };

let served: ServedPlugin;
let plugin: Plugin;
beforeAll(async () => ({ plugin } = served = await ServedPlugin.start(tls)));
afterAll(() => served.stop());

describe("tls.PrivateKey", () => {
  test.each([
    ["RSA", {}, "BEGIN RSA PRIVATE KEY", "ssh-rsa"],
    ["ECDSA", { ecdsaCurve: "P256" }, "BEGIN EC PRIVATE KEY", "ecdsa-sha2-nistp256"],
    ["ECDSA", { ecdsaCurve: "P521" }, "BEGIN EC PRIVATE KEY", "ecdsa-sha2-nistp521"],
    ["ED25519", {}, "BEGIN PRIVATE KEY", "ssh-ed25519"],
  ])("%s %j in every form", async (algorithm, options, preamble, sshType) => {
    const { id, outputs } = await plugin.make(privateKey, { algorithm, ...options });
    expect(isSecret(outputs.privateKeyPem)).toBe(true);
    expect(isSecret(outputs.privateKeyOpenssh)).toBe(true);
    const values = plain(outputs);
    expect(values.privateKeyPem).toContain(preamble);
    const spki = createPublicKey(createPrivateKey(values.privateKeyPem)).export({ format: "der", type: "spki" });
    expect(id).toBe(createHash("sha1").update(spki).digest("hex"));
    expect(createPublicKey(values.publicKeyPem).export({ format: "der", type: "spki" })).toEqual(spki);
    const key = utils.parseKey(values.privateKeyOpenssh) as ParsedKey;
    expect(key.type).toBe(sshType);
    expect(values.publicKeyOpenssh).toBe(`${sshType} ${key.getPublicSSH().toString("base64")}\n`);
    expect(key.verify("data", key.sign("data"))).toBe(true);
    expect(values.publicKeyFingerprintSha256).toMatch(/^SHA256:[\w+/]{43}$/);
    expect(values.publicKeyFingerprintMd5).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
  });

  test("P-224 has no OpenSSH form", async () => {
    const { outputs } = await plugin.make(privateKey, { algorithm: "ECDSA" });
    expect(plain(outputs)).toMatchObject({
      privateKeyOpenssh: "",
      publicKeyOpenssh: "",
      publicKeyFingerprintMd5: "",
    });
  });

  test("an unknown algorithm is refused", async () => {
    await expect(plugin.make(privateKey, { algorithm: "DSA" })).rejects.toThrow(
      "algorithm: must be one of RSA, ECDSA, ED25519",
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

  test("a self-signed authority", async () => {
    const { certificate } = await authority({ dnsNames: ["a.example"], ipAddresses: ["10.0.0.1"], maxPathLength: 0 });
    const { id, outputs } = certificate;
    const x509 = new X509Certificate(outputs.certPem);
    expect(x509.subject).toBe("O=org\nCN=ca");
    expect(x509.issuer).toBe(x509.subject);
    expect(x509.ca).toBe(true);
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(x509.subjectAltName).toBe("DNS:a.example, IP Address:10.0.0.1");
    expect(BigInt(`0x${x509.serialNumber}`).toString()).toBe(id);
    expect(Date.parse(outputs.validityEndTime) - Date.parse(outputs.validityStartTime)).toBe(48 * 3_600_000);
    expect(outputs).toMatchObject({ keyAlgorithm: "ECDSA", readyForRenewal: false });
  });

  test("a preview knows all but what only time and chance decide", async () => {
    const { key } = await authority();
    const inputs = { privateKeyPem: key.outputs.privateKeyPem, allowedUses: [], validityPeriodHours: 1 };
    const { id, outputs } = await plugin.make(selfSigned, inputs, { preview: true });
    expect(id).toBe("");
    expect(outputs).toMatchObject({ certPem: UNKNOWN, validityStartTime: UNKNOWN, readyForRenewal: false });
  });

  test("an authority without a name is refused", async () => {
    await expect(authority({ subject: {} })).rejects.toThrow("needs at least one distinguished name");
  });

  test("an unknown use is refused", async () => {
    await expect(authority({ allowedUses: ["sing"] })).rejects.toThrow('allowedUses: unknown use "sing"');
  });

  test("earlyRenewalHours changes in place, all else replaces", async () => {
    const { certificate, inputs } = await authority();
    const diff = async (news: Json) => (await plugin.diff(selfSigned, certificate, { ...inputs, ...news })).detailed;
    expect(await diff({ earlyRenewalHours: 5 })).toEqual({ earlyRenewalHours: "update" });
    expect(await diff({ subject: { ...subject, commonName: "x" } })).toEqual({ subject: "update-replace" });
    expect(await diff({ isCaCertificate: false })).toEqual({ isCaCertificate: "update-replace" });
    expect(await diff({ earlyRenewalHours: 0 })).toEqual({});
  });

  test("is replaced once it is due for renewal, on a plain comparison with the clock", async () => {
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

  test("a locally signed one carries exactly what the request asks for", async () => {
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
    await expect(plugin.make(locallySigned, broken)).rejects.toThrow("certRequestPem holds no certificate request");
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
