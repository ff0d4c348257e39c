/**
 * What a value must look like: one small function per kind of value. Each takes the value and returns what is wrong with it,
 * or undefined. The settings (with config keys) and the components (with argument names) report by the same rules.
 */
import { X509Certificate, createPrivateKey } from "node:crypto";
import { isIP } from "node:net";

export type Rule = (value: string) => string | undefined;

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A node's name: a DNS-1123 subdomain, at most 63 characters, since it is also the value of the label
 * `kubernetes.io/hostname`. The kubelet lowers the case of its name, so an upper-case one would never match.
 */
export const nodeName: Rule = (value) => {
  if (value.length > 63) return `has ${value.length} characters; a node name has at most 63`;
  if (value !== value.toLowerCase()) return "has upper-case letters; a node name is lower case";
  if (!value.split(".").every((label) => DNS_LABEL.test(label)))
    return "is not a node name: letters a-z, digits, '-' and '.', beginning and ending with a letter or digit";
  return undefined;
};

/** A pool's name: a DNS label, since it becomes a part of the token's group and of the role label. */
export const poolName: Rule = (value) =>
  DNS_LABEL.test(value)
    ? undefined
    : "is not a pool name: a-z, 0-9 and '-', at most 63 characters, no '-' at either end";

/** A group that a bootstrap token may carry (BootstrapGroupPattern); one bad group makes the whole token a 401. */
export const tokenGroup: Rule = (value) =>
  /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(value)
    ? undefined
    : "is not a bootstrap token group: 'system:bootstrappers:' and then a-z, 0-9, ':' and '-', not ending in ':' or '-'";

/** A group to which the bindings of bootstrapping are made. */
export const bindingGroup: Rule = (value) => (value === "system:bootstrappers" ? undefined : tokenGroup(value));

/** An IP address. */
export const ip: Rule = (value) => (isIP(value) ? undefined : "is not an IP address");

/** An IP address or a DNS name. */
export const host: Rule = (value) =>
  isIP(value) ||
  (value.length <= 253 && /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(value) && !/^[\d.]+$/.test(value))
    ? undefined
    : "is neither an IP address nor a DNS name";

/** The public key that a host proves itself with, as one line of `ssh-keyscan` without the host. */
export const hostKey: Rule = (value) => {
  const [type = "", key = ""] = value.trim().split(/\s+/);
  if (type === "ssh-rsa")
    return "is an RSA key, which current OpenSSH servers do not offer in the form the SSH client asks for; use the host's ssh-ed25519 or ecdsa key";
  if (!/^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521))$/.test(type))
    return "is not a host key: 'ssh-ed25519 AAAA…' or 'ecdsa-sha2-nistp256 AAAA…', as in /etc/ssh/ssh_host_ed25519_key.pub";
  const blob = Buffer.from(key, "base64");
  // The blob begins with its own type, so a key that was cut or mixed up shows here.
  const named = blob.length > 4 ? blob.subarray(4, 4 + blob.readUInt32BE(0)).toString() : "";
  return named === type && blob.length > 50 ? undefined : `is not a whole ${type} key`;
};

/** URL of an API server as workers reach it. */
export const apiServer: Rule = (value) => {
  const url = parseUrl(value);
  if (!url) return "is not a URL such as https://api.example.com:6443";
  if (url.protocol !== "https:") return "must begin with https://: the token is sent to it";
  if (url.username || url.password || url.search || url.hash) return "may have host, port and path only";
  return undefined;
};

/** Base URL of downloads. */
export const downloadUrl: Rule = (value) => plainUrl(value, "in plain state; use a mirror that needs none");

/** URL of an HTTP proxy. */
export const proxyUrl: Rule = (value) =>
  plainUrl(value, "in plain state and on every worker; use a proxy that needs none");

function plainUrl(value: string, end: string): string | undefined {
  const url = parseUrl(value);
  if (!url || !/^https?:$/.test(url.protocol)) return "is not an http:// or https:// URL";
  if (url.username || url.password) return `holds credentials, which would end up ${end}`;
  // It is written into a shell file on the host.
  return /^[A-Za-z0-9:/._~%+-]+$/.test(value) ? undefined : "may have host, port and path only";
}

/** A SHA-256 checksum. */
export const sha256: Rule = (value) =>
  /^[0-9a-f]{64}$/.test(value) ? undefined : "is not a SHA-256 checksum: 64 hexadecimal digits";

/** The version of a release; it becomes a part of URLs and paths. */
export const releaseVersion: Rule = (value) =>
  /^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/.test(value) ? undefined : "is not a version such as 2.3.4 (no leading 'v')";

/** The version of a distribution's package. */
export const packageVersion: Rule = (value) =>
  /^[A-Za-z0-9][A-Za-z0-9.+~:-]*$/.test(value)
    ? undefined
    : "is not the version of a package, such as 1.7.24~ds1-6 or 2.1.4-1.fc42";

/** The name of a container image, with a tag, a digest or both. */
export const image: Rule = (value) =>
  /^[a-z0-9][a-z0-9.-]*(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:\w[\w.-]*(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$/.test(
    value,
  )
    ? undefined
    : "is not a whole name of an image, such as registry.k8s.io/pause:3.10.1";

/** A registry as it stands in the names of images; it becomes a path. */
export const registry: Rule = (value) =>
  value === "_default" || /^[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?$/.test(value)
    ? undefined
    : "is not a registry such as docker.io or registry.example.com:5000, nor _default";

/** What a proxy is not used for. */
export const proxyException: Rule = (value) =>
  /^[A-Za-z0-9.:/*_-]+$/.test(value) ? undefined : "is not a host name, domain, address or network";

/** A folder on a worker; it never needs quoting. */
export const hostFolder: Rule = (value) =>
  /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/.test(value) ? undefined : "is not an absolute path of a folder";

function parseUrl(value: string): URL | undefined {
  try {
    return new URL(value);
  } catch {
    return undefined;
  }
}

/** One or more CA certificates in PEM. */
export const caCertificates: Rule = (value) => {
  const blocks = value.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (/PRIVATE KEY/.test(value)) return "holds a private key; give the certificate only";
  if (!blocks) return "holds no PEM certificate (-----BEGIN CERTIFICATE-----)";
  for (const [i, block] of blocks.entries()) {
    try {
      if (!new X509Certificate(block).ca) return `certificate ${i + 1} is not that of a certificate authority`;
    } catch {
      return `certificate ${i + 1} cannot be read as PEM`;
    }
  }
  return undefined;
};

/** A private key in PEM or OpenSSH form, without passphrase. The message never shows the value. */
export const privateKey: Rule = (value) => {
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----\s[\s\S]+-----END [A-Z ]*PRIVATE KEY-----\s*$/.test(value.trim()))
    return "is not a private key (-----BEGIN OPENSSH PRIVATE KEY----- …)";
  if (value.includes("BEGIN OPENSSH PRIVATE KEY")) {
    const body = Buffer.from(value.replace(/-----[^-]+-----/g, ""), "base64");
    if (body.subarray(0, 15).toString("latin1") !== "openssh-key-v1\0") return "is not a whole OpenSSH private key";
    // The cipher's name follows the magic: anything but "none" means a passphrase.
    const cipher = body.subarray(19, 19 + body.readUInt32BE(15)).toString("latin1");
    return cipher === "none" ? undefined : "is protected by a passphrase; give a deploy key without one, as a secret";
  }
  try {
    createPrivateKey(value);
    return undefined;
  } catch {
    return "cannot be read as a private key (is it protected by a passphrase?)";
  }
};

/** The private key of a CA, in PEM. The message never shows the value. */
export const signingKey: Rule = (value) => {
  try {
    createPrivateKey(value);
    return undefined;
  } catch {
    return "is no private key in PEM that can be read (-----BEGIN EC PRIVATE KEY----- …, without passphrase)";
  }
};

/** What the names of a scale group's nodes begin with. */
export const namePrefix: Rule = (value) =>
  value.length < 63 && nodeName(`${value}0`) === undefined
    ? undefined
    : "is not the beginning of node names: letters a-z, digits, '-' and '.', at most 62 characters";

/** A cluster's DNS domain. */
export const dnsDomain: Rule = (value) =>
  value.length <= 253 && value.split(".").every((label) => DNS_LABEL.test(label))
    ? undefined
    : "is not a DNS domain such as cluster.local";

/** Key of a label or taint: an optional DNS prefix and a name of at most 63 characters. */
export const labelKey: Rule = (value) => {
  const [name = "", prefix, ...more] = value.split("/").reverse();
  const ok =
    more.length === 0 &&
    /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(name) &&
    (prefix === undefined || dnsDomain(prefix) === undefined);
  return ok ? undefined : "is not a label key: [prefix/]name, the name of at most 63 letters, digits, '-', '_', '.'";
};

/** Value of a label or taint. */
export const labelValue: Rule = (value) =>
  /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/.test(value)
    ? undefined
    : "is not a label value: at most 63 letters, digits, '-', '_', '.', beginning and ending with a letter or digit";

/** The address family of a CIDR; undefined when it is not one. */
function cidrFamily(value: string): number | undefined {
  const [address = "", prefix = "", ...more] = value.split("/");
  const family = isIP(address);
  const fits = more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
  return family && fits ? family : undefined;
}

/** A range of addresses. */
export const cidr: Rule = (value) => (cidrFamily(value) ? undefined : "is not a CIDR such as 10.0.0.0/8");

/** The pods' network: one CIDR, or one of each family. */
export const clusterCidr: Rule = (value) => {
  const families = value.split(",").map(cidrFamily);
  return !families.includes(undefined) && families.length === new Set(families).size
    ? undefined
    : "is not a CIDR such as 10.244.0.0/16, nor an IPv4 and an IPv6 one with a comma between";
};

/** A duration as Go writes it. */
export const goDuration: Rule = (value) =>
  /^(0|(\d+(\.\d+)?(ms|s|m|h))+)$/.test(value) ? undefined : "is not a duration such as 30s, 1h30m or 0s";

/** `organization/project/stack` of another stack. */
export const stackName: Rule = (value) =>
  /^[\w.-]+\/[\w.-]+\/[\w.-]+$/.test(value)
    ? undefined
    : "is not the full name of a stack: <organization>/<project>/<stack>";

/** A user name on a worker; it never needs quoting. */
export const userName: Rule = (value) =>
  /^[a-z_][a-z0-9_-]{0,31}$/.test(value)
    ? undefined
    : "is not a user name: a-z, 0-9, '-' and '_', at most 32 characters";
