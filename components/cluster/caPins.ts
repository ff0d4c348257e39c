import { createHash, X509Certificate } from "node:crypto";

/**
 * Pins of a CA bundle, one for each certificate: `sha256:<hex of the SHA-256 of its public key>`. kubeadm's `--discovery-token-ca-cert-hash` takes them. The
 * hash covers the SubjectPublicKeyInfo (RFC 7469), so a renewed certificate with the same key keeps its pin.
 */
export const caPins = (ca: string): string[] =>
  certificatesIn(ca).map(({ publicKey }) => {
    const key = publicKey.export({ type: "spki", format: "der" });
    return `sha256:${createHash("sha256").update(key).digest("hex")}`;
  });

/**
 * The certificates of a CA bundle.
 * @throws Error when one cannot be read. See `rules.caCertificates`.
 */
export const certificatesIn = (ca: string): X509Certificate[] =>
  (ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (block) => new X509Certificate(block),
  );
