import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { utils, type ParsedKey } from "ssh2";
import { tls } from "../../../lab/plugins/tls";
import { random } from "../../../lab/plugins/random";
import type { Package } from "../../../lab/plugins/provider";
import { plain, plainProps, Secret, unknown, type Props } from "../../../lab/plugins/values";

const host = { log: () => {}, status: () => {} };
const types = {
  key: "tls:index/privateKey:PrivateKey",
  self: "tls:index/selfSignedCert:SelfSignedCert",
  local: "tls:index/locallySignedCert:LocallySignedCert",
  string: "random:index/randomString:RandomString",
  password: "random:index/randomPassword:RandomPassword",
};

async function make(pkg: Package, type: string, inputs: Props, preview = false) {
  const provider = pkg.configure({}, host);
  const subject = { urn: `urn:pulumi:dev::p::${type}::n`, type, name: "n" };
  const checked = await provider.check({ ...subject, news: inputs });
  if (checked.failures.length > 0)
    throw new Error(checked.failures.map(({ property, reason }) => `${property}: ${reason}`).join());
  const created = await provider.create({ ...subject, inputs: checked.inputs, preview });
  const diff = (newInputs: Props, outputs = created.outputs) =>
    provider.diff({ ...subject, id: created.id, oldInputs: inputs, oldOutputs: outputs, newInputs, ignoreChanges: [] });
  return { ...created, plain: plainProps(created.outputs) as Record<string, string>, diff };
}

describe("tls.PrivateKey", () => {
  test.each([
    ["RSA", {}, "BEGIN RSA PRIVATE KEY", "ssh-rsa"],
    ["ECDSA", { ecdsaCurve: "P256" }, "BEGIN EC PRIVATE KEY", "ecdsa-sha2-nistp256"],
    ["ECDSA", { ecdsaCurve: "P521" }, "BEGIN EC PRIVATE KEY", "ecdsa-sha2-nistp521"],
    ["ED25519", {}, "BEGIN PRIVATE KEY", "ssh-ed25519"],
  ])("%s %j in every form", async (algorithm, options, preamble, sshType) => {
    const { id, outputs, plain: values } = await make(tls, types.key, { algorithm, ...options });
    expect(outputs.privateKeyPem).toBeInstanceOf(Secret);
    expect(outputs.privateKeyOpenssh).toBeInstanceOf(Secret);
    expect(values.privateKeyPem).toContain(preamble);
    const spki = createPublicKey(createPrivateKey(values.privateKeyPem ?? "")).export({ format: "der", type: "spki" });
    expect(id).toBe(createHash("sha1").update(spki).digest("hex"));
    expect(createPublicKey(values.publicKeyPem ?? "").export({ format: "der", type: "spki" })).toEqual(spki);
    const key = utils.parseKey(values.privateKeyOpenssh ?? "") as ParsedKey;
    expect(key.type).toBe(sshType);
    expect(values.publicKeyOpenssh).toBe(`${sshType} ${key.getPublicSSH().toString("base64")}\n`);
    expect(key.verify("data", key.sign("data"))).toBe(true);
    expect(values.publicKeyFingerprintSha256).toMatch(/^SHA256:[\w+/]{43}$/);
    expect(values.publicKeyFingerprintMd5).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
  });

  test("P-224 has no OpenSSH form", async () => {
    const { plain: values } = await make(tls, types.key, { algorithm: "ECDSA" });
    expect(values).toMatchObject({ privateKeyOpenssh: "", publicKeyOpenssh: "", publicKeyFingerprintMd5: "" });
  });

  test("an unknown algorithm is refused", async () => {
    await expect(make(tls, types.key, { algorithm: "DSA" })).rejects.toThrow(
      "algorithm: must be one of RSA, ECDSA, ED25519",
    );
  });
});

describe("certificates", () => {
  const subject = { commonName: "ca", organization: "org" };
  const authority = async (more: Props = {}) => {
    const key = await make(tls, types.key, { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const uses = ["cert_signing", "digital_signature"];
    const inputs: Props = {
      ...{ privateKeyPem: key.outputs.privateKeyPem ?? null, subject, allowedUses: uses },
      ...{ validityPeriodHours: 48, isCaCertificate: true, ...more },
    };
    return { key, inputs, certificate: await make(tls, types.self, inputs) };
  };

  test("a self-signed authority", async () => {
    const { certificate } = await authority({ dnsNames: ["a.example"], ipAddresses: ["10.0.0.1"], maxPathLength: 0 });
    const x509 = new X509Certificate(certificate.plain.certPem ?? "");
    expect(x509.subject).toBe("O=org\nCN=ca");
    expect(x509.issuer).toBe(x509.subject);
    expect(x509.ca).toBe(true);
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(x509.subjectAltName).toBe("DNS:a.example, IP Address:10.0.0.1");
    expect(BigInt(`0x${x509.serialNumber}`).toString()).toBe(certificate.id);
    const { validityStartTime = "", validityEndTime = "" } = certificate.plain;
    expect(Date.parse(validityEndTime) - Date.parse(validityStartTime)).toBe(48 * 3_600_000);
    expect(certificate.plain).toMatchObject({ keyAlgorithm: "ECDSA", readyForRenewal: false });
  });

  test("a preview knows all but what only time and chance decide", async () => {
    const { key } = await authority();
    const inputs = { privateKeyPem: key.outputs.privateKeyPem ?? null, allowedUses: [], validityPeriodHours: 1 };
    const { id, outputs } = await make(tls, types.self, inputs, true);
    expect(id).toBe("");
    expect(outputs).toMatchObject({ certPem: unknown, validityStartTime: unknown, readyForRenewal: false });
  });

  test("an authority without a name is refused", async () => {
    await expect(authority({ subject: {} })).rejects.toThrow("needs at least one distinguished name");
  });

  test("an unknown use is refused", async () => {
    await expect(authority({ allowedUses: ["sing"] })).rejects.toThrow('allowedUses: unknown use "sing"');
  });

  test("earlyRenewalHours changes in place, all else replaces", async () => {
    const { certificate, inputs } = await authority();
    expect((await certificate.diff({ ...inputs, earlyRenewalHours: 5 })).keys).toEqual({
      earlyRenewalHours: { kind: "update", replace: false },
    });
    expect((await certificate.diff({ ...inputs, subject: { ...subject, commonName: "x" } })).keys).toEqual({
      subject: { kind: "update", replace: true },
    });
    expect((await certificate.diff({ ...inputs, isCaCertificate: false })).keys).toEqual({
      isCaCertificate: { kind: "update", replace: true },
    });
    expect((await certificate.diff({ ...inputs, earlyRenewalHours: 0 })).changes).toBe(false);
  });

  test("is replaced once it is due for renewal, on a plain comparison with the clock", async () => {
    const { certificate, inputs } = await authority({ earlyRenewalHours: 24 });
    expect((await certificate.diff(inputs)).changes).toBe(false);
    const at = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
    const aged = (hours: number) => certificate.diff(inputs, { ...certificate.outputs, validityEndTime: at(hours) });
    expect((await aged(25)).changes).toBe(false);
    expect((await aged(23)).keys).toEqual({ readyForRenewal: { kind: "update", replace: true } });
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
    const inputs: Props = {
      ...{ caCertPem: certificate.plain.certPem ?? "", caPrivateKeyPem: key.outputs.privateKeyPem ?? null },
      ...{ certRequestPem, allowedUses: ["server_auth", "digital_signature"], validityPeriodHours: 12 },
    };
    const signed = await make(tls, types.local, inputs);
    const x509 = new X509Certificate(signed.plain.certPem ?? "");
    const issuer = new X509Certificate(certificate.plain.certPem ?? "");
    expect(x509.subject).toBe("O=system:nodes\nCN=system:node:w1");
    expect(x509.subjectAltName).toBe("DNS:w1, IP Address:10.0.0.1");
    expect(x509.checkIssued(issuer)).toBe(true);
    expect(x509.verify(issuer.publicKey)).toBe(true);
    expect(x509.ca).toBe(false);
    expect(x509.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(signed.plain.caKeyAlgorithm).toBe("ECDSA");
    const broken = { ...inputs, certRequestPem: "nonsense" };
    await expect(make(tls, types.local, broken)).rejects.toThrow("certRequestPem holds no certificate request");
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

describe("random", () => {
  test("a string keeps to its length and characters, with its minima", async () => {
    for (let i = 0; i < 20; i++) {
      const { id, plain: values } = await make(random, types.string, {
        length: 10,
        special: false,
        minNumeric: 3,
        minUpper: 2,
      });
      expect(id).toBe(values.result);
      expect(values.result).toMatch(/^[a-zA-Z0-9]{10}$/);
      expect(values.result?.match(/\d/g)?.length).toBeGreaterThanOrEqual(3);
      expect(values.result?.match(/[A-Z]/g)?.length).toBeGreaterThanOrEqual(2);
    }
  });

  test("a password is secret and its id tells nothing", async () => {
    const { id, outputs } = await make(random, types.password, { length: 16, overrideSpecial: "%" });
    expect(id).toBe("none");
    expect(outputs.result).toBeInstanceOf(Secret);
    expect(plain(outputs.result ?? null)).toMatch(/^[a-zA-Z0-9%]{16}$/);
  });

  test("a changed keeper replaces, a default that is now written out does not", async () => {
    const { diff } = await make(random, types.string, { length: 6, keepers: { a: "1" } });
    expect((await diff({ length: 6, keepers: { a: "2" } })).keys).toEqual({
      keepers: { kind: "update", replace: true },
    });
    expect((await diff({ length: 6, keepers: { a: unknown } })).keys).toEqual({
      keepers: { kind: "update", replace: true },
    });
    expect((await diff({ length: 6, keepers: { a: "1" }, lower: true })).changes).toBe(false);
  });

  test.each([
    [{}, "length: missing required property 'length'"],
    [{ length: 0 }, "length: must be a whole number of at least 1"],
    [{ length: 3, minLower: 4 }, "length: must be a whole number of at least 4"],
    [{ length: 3, lower: false, upper: false, numeric: false, special: false }, "at least one of"],
  ])("%j is refused", async (inputs, message) => {
    await expect(make(random, types.string, inputs)).rejects.toThrow(message);
  });
});
