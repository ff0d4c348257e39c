/** Certificates and keys for tests. The private keys of the certificates are gone. */
import { generateKeyPairSync } from "node:crypto";

/** SSH keys. They are made for each run. */
export const SSH_KEY = privateKey();
export const BASTION_KEY = privateKey();

function privateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return privateKey;
}

/** An OpenSSH private key with this cipher, and zeros for the rest. */
export function openSshKey(cipher: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(cipher.length);
  const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), length, Buffer.from(cipher), Buffer.alloc(60)]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** A cluster's CA. */
export const CA = `-----BEGIN CERTIFICATE-----
MIIBhjCCAS2gAwIBAgIUK3VZv2MEx0oCrUVhku1agw8F8YQwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNa3ViZXJuZXRlcy1jYTAgFw0yNjExMjIxMzU2MjJaGA8yMTI2
MTAyOTEzNTYyMlowGDEWMBQGA1UEAwwNa3ViZXJuZXRlcy1jYTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABNOAXnFdplYGrbS6mFTozsGbNSNT+y7IcSOKZjoxXk/s
4bkik4c0hq7036D0J2GGRxtT16qxpeOM//daFSs60aGjUzBRMB0GA1UdDgQWBBTJ
1Q7tOwzjiC4HTW6YtkVjpoDtZTAfBgNVHSMEGDAWgBTJ1Q7tOwzjiC4HTW6YtkVj
poDtZTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIGyIFzNs7Met
cGv5D+AaQxnyudqUy/UpkjAwcJptcDImAiBuF1+kRkZ/oM5qNQEJvjzk7nLHKCfl
/cdjvSdZddJ2aA==
-----END CERTIFICATE-----
`;

/** A client certificate that the CA signed for worker-1. */
export const NODE_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBSjCB8QIUHRUWnyTSkMDCM2GQsfGASez1HaYwCgYIKoZIzj0EAwIwGDEWMBQG
A1UEAwwNa3ViZXJuZXRlcy1jYTAgFw0yNjExMjIxMzU2MjJaGA8yMTI2MTAyOTEz
NTYyMlowNjEVMBMGA1UECgwMc3lzdGVtOm5vZGVzMR0wGwYDVQQDDBRzeXN0ZW06
bm9kZTp3b3JrZXItMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMgcdktK3gjt
YPlDF+mERGSyxxKebWIFBxA91gtGHBEGLfogkEsjNNJSYbdNn7sHvMbpaXNgVhiw
qYiKYFuTB7kwCgYIKoZIzj0EAwIDSAAwRQIhANT1lW09uNBKzv2FP4mIblkF/pgF
ucH5bYE6JyEC5ZndAiBx0iXhw7Zes6zdr6ZTAog7S1NvLx1t98SweHfZjRZf6Q==
-----END CERTIFICATE-----
`;

/** Host keys. */
export const ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMD70DqivXbQUSfY/+9eovddXFbuJtgtxzNJAHWWO3Xr";
export const ED25519_OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKGNkoYMA6pIKJtIhvV7ImE9V4b8dzVYjXo61ch4/OvL";
export const ECDSA =
  "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBD6Nujc6FE9KTh7w9ErjVjQ+dtYgr7LHb8tZWIPcWzqYvfH1Up3vAy4D3UYWmmIKpnx2oLWpu+pq1C65SK2vfL0=";
export const RSA =
  "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCiWDZkZP2+Igi8FfJtUFkPItplJRLRAkPwwxEfa9uDEvZhIpWuWRuUPeYZUrWBaP8zun2mjjyo94cTFySljIRszk+/LJealc+NB15mHoO6HrjJKoq6TWPuI02BkEfVfTnRsK31kZLR8tBMgFKtk8xVGCYb991lkzr+yh62SlAOwjL8CH59mH16SND/P8Z1giSKd3f0BIoi5lCgXGP7ploThI/YZW8LiPsVERt2EXXUnKR5LP+sZ2WvVbbs7Kn+/v1XwogRJ4s/CMvYs4c7zP4dOhc7EPJlBhLSJImItZlb2Pw3ES3mEGpFSBzVfBlV7N4BxY6x/QEA+pZ3LuyL/42R";
