import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CertificateRequest,
  createAuthority,
  ensureCertificatePair,
  issueCertificate,
  type CertificatePair,
} from "../../../lab/control-plane/certificates";

const NOW = new Date("2026-01-01T00:00:00Z");
const later = (days: number): Date => new Date(NOW.getTime() + days * 24 * 3600 * 1000);

const CLIENT = "1.3.6.1.5.5.7.3.2";
const SERVER = "1.3.6.1.5.5.7.3.1";

describe("a certificate", () => {
  const issue = async (
    request: CertificateRequest,
  ): Promise<{ authority: X509Certificate; issued: X509Certificate }> => {
    const authority = await createAuthority("test-ca", NOW);
    const { certificate, key } = await issueCertificate(authority, request, NOW);
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\s\S]*\n-----END PRIVATE KEY-----\n$/);
    return { authority: new X509Certificate(authority.certificate), issued: new X509Certificate(certificate) };
  };

  test("of a client names user and group, and is signed by the authority", async () => {
    const { authority, issued } = await issue({ commonName: "lab-admin", organization: "system:masters" });
    expect(issued.subject).toBe("O=system:masters\nCN=lab-admin");
    expect(issued.issuer).toBe("CN=test-ca");
    expect(issued.verify(authority.publicKey)).toBe(true);
    expect(issued.subjectAltName).toBeUndefined();
    expect(issued.keyUsage).toEqual([CLIENT]);
    expect([issued.ca, authority.ca]).toEqual([false, true]);
    expect([issued.validFrom, issued.validTo].map((date) => new Date(date).toISOString())).toEqual([
      "2025-12-31T23:55:00.000Z",
      "2027-01-01T00:00:00.000Z",
    ]);
  });

  test("of a server names its hosts, and is a client certificate too", async () => {
    const { issued } = await issue({ commonName: "etcd", hosts: ["localhost", "127.89.0.1"] });
    expect(issued.subjectAltName).toBe("DNS:localhost, IP Address:127.89.0.1");
    expect(issued.keyUsage).toEqual([CLIENT, SERVER]);
  });
});

describe("a stored pair of certificate and key", () => {
  let folder: string;
  let authority: CertificatePair;
  const ensure = (now: Date, issuer = authority): Promise<CertificatePair> =>
    ensureCertificatePair(join(folder, "a"), now, () => issueCertificate(issuer, { commonName: "a" }, now), issuer);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "lab-pki-"));
    authority = await createAuthority("test-ca", NOW);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is kept until a month before it expires, with a key that only the owner can read", async () => {
    const first = await ensure(NOW);
    expect(statSync(join(folder, "a.key")).mode & 0o777).toBe(0o600);
    expect(await ensure(later(334))).toEqual(first);
    expect(await ensure(later(336))).not.toEqual(first);
  });

  test.each(["a.key", "a.crt"])("is replaced when %s is missing", async (file) => {
    const first = await ensure(NOW);
    rmSync(join(folder, file));
    expect(await ensure(NOW)).not.toEqual(first);
  });

  test("is replaced when another authority signed it, or when its file is no certificate", async () => {
    const first = await ensure(NOW);
    const second = await ensure(NOW, await createAuthority("test-ca", NOW));
    expect(second).not.toEqual(first);
    writeFileSync(join(folder, "a.crt"), "");
    expect(await ensure(NOW)).not.toEqual(second);
  });
});
