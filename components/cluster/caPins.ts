import { createHash, X509Certificate } from "node:crypto";

/**
 * Pins of a CA bundle, one for each certificate: `sha256:<hex of the SHA-256 of its public key>`. kubeadm's `--discovery-token-ca-cert-hash` takes them. The
 * hash covers the SubjectPublicKeyInfo (RFC 7469), so a renewed certificate with the same key keeps its pin.
 */
export function caPins(ca: string): string[] {
  const blocks = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    const key = new X509Certificate(block).publicKey.export({ type: "spki", format: "der" });
    return `sha256:${createHash("sha256").update(key).digest("hex")}`;
  });
}
