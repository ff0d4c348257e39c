/** Rules for the values of settings and arguments, one function for each kind of value. */
import { X509Certificate, createPrivateKey } from "node:crypto";
import { isIP } from "node:net";
import { parseGoDuration } from "./goDuration";
import { hasPassphrase, sshKey } from "./sshKeys";

/** Returns what is wrong with a value, or undefined. The caller adds the value and its place. */
export type Rule = (value: string) => string | undefined;

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The name of a node: a DNS-1123 subdomain of at most 63 characters, because it is also the value of the label `kubernetes.io/hostname`.
 * The kubelet turns its name into lower case, so a name with upper-case letters would never match.
 */
export const nodeName: Rule = (value) => {
  if (value.length > 63) return `has ${value.length} characters; a node name has at most 63`;
  if (value !== value.toLowerCase()) return "has upper-case letters; a node name is lower case";
  if (!value.split(".").every((label) => DNS_LABEL.test(label)))
    return "is not a node name: letters a-z, digits, '-' and '.', beginning and ending with a letter or digit";
  return undefined;
};

/** The name of a pool: a DNS label, because it becomes a part of the token's group and of the role label. */
export const poolName: Rule = (value) =>
  DNS_LABEL.test(value)
    ? undefined
    : "is not a pool name: a-z, 0-9 and '-', at most 63 characters, no '-' at either end";

/**
 * A group that a bootstrap token may carry. The API server rejects a token that has one invalid group.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/cluster-bootstrap/token/api/types.go BootstrapGroupPattern
 */
export const tokenGroup: Rule = (value) =>
  /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(value)
    ? undefined
    : "is not a bootstrap token group: 'system:bootstrappers:' and then a-z, 0-9, ':' and '-', not ending in ':' or '-'";

/** A group that the bootstrapping ClusterRoleBindings can name. */
export const bindingGroup: Rule = (value) => (value === "system:bootstrappers" ? undefined : tokenGroup(value));

/** An IP address. */
export const ip: Rule = (value) => (isIP(value) ? undefined : "is not an IP address");

/** An IP address or a DNS name. */
export const host: Rule = (value) =>
  isIP(value) ||
  (value.length <= 253 && /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(value) && !/^[\d.]+$/.test(value))
    ? undefined
    : "is neither an IP address nor a DNS name";

/** A public SSH host key: type and key, as in a line of `ssh-keyscan` without the host. */
export const hostKey: Rule = (value) => {
  const [type = "", key = ""] = value.trim().split(/\s+/);
  if (type === "ssh-rsa")
    return "is an RSA key, which current OpenSSH servers do not offer to Pulumi's SSH client; use the host's ed25519 or ECDSA key";
  if (!/^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521))$/.test(type))
    return "is not a host key: 'ssh-ed25519 AAAA…' or 'ecdsa-sha2-nistp256 AAAA…', as in /etc/ssh/ssh_host_ed25519_key.pub";
  const blob = Buffer.from(key, "base64");
  // The blob begins with its type, which shows a key that was cut, or pasted behind another type.
  const named = blob.length > 4 ? blob.subarray(4, 4 + blob.readUInt32BE(0)).toString() : "";
  return named === type && blob.length > 50 ? undefined : `is not a complete ${type} key`;
};

/** The URL of an API server. */
export const apiServer: Rule = (value) => {
  const url = parseUrl(value);
  if (!url) return "is not a URL such as https://api.example.com:6443";
  if (url.protocol !== "https:") return "must begin with https://, because workers send a token to it";
  if (url.username || url.password || url.search || url.hash) return "may have host, port and path only";
  return undefined;
};

/** The base URL of downloads. */
export const downloadUrl: Rule = (value) => plainUrl(value, "in the state in plain text; use a mirror that needs none");

/** The URL of an HTTP proxy. */
export const proxyUrl: Rule = (value) =>
  plainUrl(value, "in the state and on every worker in plain text; use a proxy that needs none");

/** @param exposure where credentials would stand, and what to use instead. */
function plainUrl(value: string, exposure: string): string | undefined {
  const url = parseUrl(value);
  if (!url || !/^https?:$/.test(url.protocol)) return "is not an http:// or https:// URL";
  if (url.username || url.password) return `holds credentials, which would stand ${exposure}`;
  // The URL becomes a part of a shell file on the host.
  return /^[A-Za-z0-9:/._~%+-]+$/.test(value) ? undefined : "may have host, port and path only";
}

/** A SHA-256 checksum. */
export const sha256: Rule = (value) =>
  /^[0-9a-f]{64}$/.test(value) ? undefined : "is not a SHA-256 checksum: 64 hexadecimal digits";

/** The version of a release. It becomes a part of URLs and paths. */
export const releaseVersion: Rule = (value) =>
  /^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/.test(value) ? undefined : "is not a version such as 2.3.4 (no leading 'v')";

/** The version of a Linux distribution's package. */
export const packageVersion: Rule = (value) =>
  /^[A-Za-z0-9][A-Za-z0-9.+~:-]*$/.test(value)
    ? undefined
    : "is not a package version such as 1.7.24~ds1-6 or 2.1.4-1.fc42";

/** The full name of a container image: registry, path, and a tag, a digest or both. */
export const image: Rule = (value) =>
  /^[a-z0-9][a-z0-9.-]*(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:\w[\w.-]*(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$/.test(
    value,
  )
    ? undefined
    : "is not a full image name with registry, path, and tag or digest, such as registry.k8s.io/pause:3.10.1";

/** A registry as in image names, or `_default` for all registries. It becomes a part of a path. */
export const registry: Rule = (value) =>
  value === "_default" || /^[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?$/.test(value)
    ? undefined
    : "is neither a registry, such as docker.io or registry.example.com:5000, nor _default";

/** A destination that is reached without the proxy. */
export const proxyException: Rule = (value) =>
  /^[A-Za-z0-9.:/*_-]+$/.test(value) ? undefined : "is not a host name, domain, address or network";

/** A folder on a worker. Its characters need no quoting in a shell. */
export const hostFolder: Rule = (value) =>
  /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/.test(value)
    ? undefined
    : "is not an absolute path of a folder: letters, digits, '/', '-', '_' and '.'";

function parseUrl(value: string): URL | undefined {
  try {
    return new URL(value);
  } catch {
    return undefined;
  }
}

/** One or more CA certificates, PEM. */
export const caCertificates: Rule = (value) => {
  const blocks = value.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (/PRIVATE KEY/.test(value)) return "holds a private key; set the certificate only";
  if (!blocks) return "holds no PEM certificate (-----BEGIN CERTIFICATE-----)";
  for (const [i, block] of blocks.entries()) {
    try {
      if (!new X509Certificate(block).ca) return `certificate ${i + 1} is not a CA certificate`;
    } catch {
      return `certificate ${i + 1} cannot be read as PEM`;
    }
  }
  return undefined;
};

/** A private key, PEM or OpenSSH, without a passphrase. The message never shows the value. */
export const privateKey: Rule = (value) =>
  hasPassphrase(value) ? "is protected by a passphrase; give a key without one, as a secret" : sshKey(value);

/** Any text. */
export const notEmpty: Rule = (value) => (value === "" ? "is empty" : undefined);

/** The private key of a CA, PEM. The message never shows the value. */
export const signingKey: Rule = (value) => {
  try {
    createPrivateKey(value);
    return undefined;
  } catch {
    return "cannot be read as a PEM private key without a passphrase (-----BEGIN EC PRIVATE KEY----- …)";
  }
};

/** A prefix of node names. */
export const namePrefix: Rule = (value) =>
  value !== "" && value.length < 63 && nodeName(`${value}0`) === undefined
    ? undefined
    : "is not a prefix of node names: letters a-z, digits, '-' and '.', 1 to 62 characters";

/** What {@link nodeNameTemplate} may have in place of a machine's own words. */
const NAME_PLACEHOLDERS = /\{(?:hostname|instance-id)\}/g;

/** A name of nodes, with `{hostname}` or `{instance-id}` in it. */
export const nodeNameTemplate: Rule = (value) =>
  value.search(NAME_PLACEHOLDERS) >= 0 && nodeName(value.replace(NAME_PLACEHOLDERS, "x")) === undefined
    ? undefined
    : "is not a name with {hostname} or {instance-id} in it, and otherwise letters a-z, digits, '-' and '.'";

/** A DNS domain. */
export const dnsDomain: Rule = (value) =>
  value.length <= 253 && value.split(".").every((label) => DNS_LABEL.test(label))
    ? undefined
    : "is not a DNS domain such as cluster.local";

/**
 * The key of a label or taint: an optional DNS prefix, and a name of at most 63 characters.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
 */
export const labelKey: Rule = (value) => {
  const [name = "", prefix, ...more] = value.split("/").reverse();
  const ok =
    more.length === 0 &&
    /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(name) &&
    (prefix === undefined || dnsDomain(prefix) === undefined);
  return ok ? undefined : "is not a label key: [prefix/]name, the name of at most 63 letters, digits, '-', '_', '.'";
};

/** Labels of Kubernetes that a kubelet may set on its own Node. */
const KUBELET_LABELS = [
  "kubernetes.io/hostname",
  ...["kubernetes.io", "beta.kubernetes.io"].flatMap((prefix) => [`${prefix}/os`, `${prefix}/arch`]),
  ...["topology.kubernetes.io", "failure-domain.beta.kubernetes.io"].flatMap((prefix) => [
    `${prefix}/region`,
    `${prefix}/zone`,
  ]),
  "beta.kubernetes.io/instance-type",
];

/**
 * The key of a label that a kubelet may set on its own Node. With another one of Kubernetes it does not start.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go IsKubeletLabel
 */
export const selfSetLabelKey: Rule = (value) => {
  const [prefix] = value.split("/");
  const isOf = (domain: string) => prefix === domain || prefix.endsWith(`.${domain}`);
  const isReserved = value.includes("/") && (isOf("kubernetes.io") || isOf("k8s.io"));
  const isAllowed = isOf("kubelet.kubernetes.io") || isOf("node.kubernetes.io") || KUBELET_LABELS.includes(value);
  return (
    labelKey(value) ??
    (isReserved && !isAllowed
      ? "is a label that a kubelet may not set on its own Node (NodeRestriction): set it from outside, or use another one"
      : undefined)
  );
};

/** The value of a label or taint. */
export const labelValue: Rule = (value) =>
  /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/.test(value)
    ? undefined
    : "is not a label value: at most 63 letters, digits, '-', '_', '.', beginning and ending with a letter or digit";

/** The address family of a CIDR: 4 or 6. Undefined when the value is not a CIDR. */
function cidrFamily(value: string): number | undefined {
  const [address = "", prefix = "", ...more] = value.split("/");
  const family = isIP(address);
  const fits = more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
  return family && fits ? family : undefined;
}

/** A range of addresses, as a CIDR. */
export const cidr: Rule = (value) => (cidrFamily(value) ? undefined : "is not a CIDR such as 10.0.0.0/8");

/** The pods' network: one CIDR, or one of each address family with a comma between them. */
export const clusterCidr: Rule = (value) => {
  const families = value.split(",").map(cidrFamily);
  return !families.includes(undefined) && families.length === new Set(families).size
    ? undefined
    : "is not a CIDR such as 10.244.0.0/16, or one IPv4 and one IPv6 CIDR with a comma between them";
};

/** A duration that is not negative, as Go writes it. */
export const goDuration: Rule = (value) =>
  (parseGoDuration(value) ?? -1) >= 0 ? undefined : "is not a duration such as 30s, 1h30m or 0s";

/** The full name of a Pulumi stack. */
export const stackName: Rule = (value) =>
  /^[\w.-]+\/[\w.-]+\/[\w.-]+$/.test(value)
    ? undefined
    : "is not the full name of a stack: <organization>/<project>/<stack>";

/** A user name on a worker. Its characters need no quoting in a shell. */
export const userName: Rule = (value) =>
  /^[a-z_][a-z0-9_-]{0,31}$/.test(value)
    ? undefined
    : "is not a user name: a-z, 0-9, '-' and '_', at most 32 characters";
