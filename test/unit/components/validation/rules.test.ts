import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { kubernetesVersion } from "../../../../components/kubelet/supportedVersions";
import { tokenTtl, ttlMinutes } from "../../../../components/tokens/tokenTtl";
import * as rules from "../../../../components/validation/rules";
import { sshKey } from "../../../../components/validation/sshKeys";
import { CA, ECDSA, ED25519, NODE_CERTIFICATE, openSshKey, RSA } from "../../fixtures";

/** Name, rule, values that it accepts, and values that it refuses with a part of the message. */
const TABLE: [string, rules.Rule, string[], [string, string][]][] = [
  [
    "nodeName",
    rules.nodeName,
    ["a", "worker-1", "worker-1.example.com", "1", "a".repeat(63)],
    [
      ["", "is not a node name"],
      ["Worker", "lower case"],
      ["a".repeat(64), "64 characters"],
      ["-a", "is not a node name"],
      ["a-", "is not a node name"],
      ["a..b", "is not a node name"],
      ["a_b", "is not a node name"],
      ["a b", "is not a node name"],
      ["a\n", "is not a node name"],
    ],
  ],
  [
    "poolName",
    rules.poolName,
    ["worker", "gpu-a"],
    [
      ["", "is not a pool name"],
      ["a.b", "is not a pool name"],
      ["GPU", "is not a pool name"],
    ],
  ],
  [
    "host",
    rules.host,
    ["10.0.0.1", "fd00::1", "worker-1", "Worker.example.com"],
    [
      ["", "neither"],
      ["10.0.0", "neither"],
      ["10.0.0.256", "neither"],
      ["10.0.0.1/24", "neither"],
      ["10.0.0.1:22", "neither"],
      ["ssh://a", "neither"],
      ["a;b", "neither"],
    ],
  ],
  [
    "ip",
    rules.ip,
    ["10.0.0.1", "fd00::1"],
    [
      ["10.0.0.0/24", "is not an IP"],
      ["worker-1", "is not an IP"],
    ],
  ],
  [
    "clusterCidr",
    rules.clusterCidr,
    ["10.244.0.0/16", "fd00::/48", "10.244.0.0/16,fd00::/48", "fd00::/48,10.244.0.0/16"],
    [
      ["", "is not a CIDR"],
      ["10.244.0.0", "is not a CIDR"],
      ["10.244.0.0/33", "is not a CIDR"],
      ["10.244.0.0/16/16", "is not a CIDR"],
      ["10.244.0.0/16,10.245.0.0/16", "is not a CIDR"],
      ["10.244.0.0/16, fd00::/48", "is not a CIDR"],
    ],
  ],
  [
    "image",
    rules.image,
    [
      "registry.k8s.io/kube-proxy:v1.34.4",
      "localhost:5000/a/b_c:1",
      `r.io/a@sha256:${"0".repeat(64)}`,
      `r.io/a:1@sha256:${"0".repeat(64)}`,
    ],
    [
      ["", "is not a full image name"],
      ["kube-proxy:v1.34.4", "is not a full image name"],
      ["registry.k8s.io/kube-proxy", "is not a full image name"],
      ["registry.k8s.io/Kube-proxy:1", "is not a full image name"],
      ["r.io/a@sha256:00", "is not a full image name"],
      ["https://r.io/a:1", "is not a full image name"],
    ],
  ],
  [
    "goDuration",
    rules.goDuration,
    ["0", "0s", "30s", "1h30m", "1.5h", "100ms"],
    [
      ["", "is not a duration"],
      ["5", "is not a duration"],
      ["1d", "is not a duration"],
      ["-1s", "is not a duration"],
      ["1h 30m", "is not a duration"],
    ],
  ],
  [
    "hostKey",
    rules.hostKey,
    [ED25519, ECDSA, `${ED25519} root@worker`],
    [
      ["", "is not a host key"],
      [RSA, "RSA"],
      [`worker-1 ${ED25519}`, "is not a host key"],
      [ED25519.slice(0, -30), "is not a complete ssh-ed25519 key"],
      [ED25519.replace("ssh-ed25519", "ecdsa-sha2-nistp256"), "is not a complete ecdsa-sha2-nistp256 key"],
      ["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "is not a host key"],
    ],
  ],
  [
    "apiServer",
    rules.apiServer,
    [
      "https://api.example.com:6443",
      "https://10.0.0.1",
      "https://[fd00::1]:6443",
      "https://rancher.example.com/k8s/clusters/c-1",
    ],
    [
      ["api.example.com:6443", "https://"],
      ["10.0.0.1:6443", "is not a URL"],
      ["http://api.example.com", "https://"],
      ["https://user:pw@api.example.com", "host, port and path only"],
      ["https://api.example.com?x=1", "host, port and path only"],
    ],
  ],
  [
    "downloadUrl",
    rules.downloadUrl,
    ["https://dl.k8s.io", "http://10.0.0.1:8080/k8s"],
    [
      ["ftp://a", "http"],
      ["dl.k8s.io", "http"],
      ["https://user:pw@a", "credentials"],
      ["https://a/'$(reboot)'", "host, port and path only"],
    ],
  ],
  [
    "caCertificates",
    rules.caCertificates,
    [CA, `${CA}${CA}`, `# my CA\n${CA}`],
    [
      ["", "no PEM certificate"],
      [NODE_CERTIFICATE, "certificate 1 is not a CA certificate"],
      [CA + CA.split("\n").toSpliced(2, 1).join("\n"), "certificate 2 cannot be read"],
      [`${CA}-----BEGIN PRIVATE KEY-----`, "private key"],
    ],
  ],
  [
    "privateKey",
    rules.privateKey,
    [],
    [
      ["", "is not a private key"],
      [ED25519, "is not a private key"],
      ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read"],
      [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        "is not a complete OpenSSH private key",
      ],
      [openSshKey("aes256-ctr"), "passphrase"],
    ],
  ],
  [
    "sshKey",
    sshKey,
    [openSshKey("none"), openSshKey("aes256-ctr"), pemKey("sec1"), pemKey("sec1", "hush")],
    [
      ["", "is not a private key"],
      ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read"],
      ["-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "is not a complete OpenSSH"],
      [pemKey("pkcs8", "hush"), "convert it with 'ssh-keygen -p"],
    ],
  ],
  [
    "kubernetesVersion",
    kubernetesVersion,
    ["1.33.0", "1.34.4", "1.37.10"],
    [
      ["v1.34.4", "no leading 'v'"],
      ["1.34", "is not a version"],
      ["1.32.13", "is not supported; supported are 1.33 to 1.37"],
      ["1.38.0", "is not supported; supported are 1.33 to 1.37"],
      ["2.0.0", "is not a version"],
    ],
  ],
  [
    "tokenTtl",
    tokenTtl,
    ["5m", "1h", "30d", "720h"],
    [
      ["never", "never expires is refused"],
      ["0", "is not a duration"],
      ["1", "is not a duration"],
      ["-1h", "is not a duration"],
      ["1h30m", "is not a duration"],
      ["4m", "between"],
      ["31d", "between"],
      ["999999d", "between"],
    ],
  ],
  [
    "labelKey",
    rules.labelKey,
    ["a", "zone", "topology.kubernetes.io/zone", "node-role.kubernetes.io/worker", "A_b.c"],
    [
      ["", "is not a label key"],
      ["/a", "is not a label key"],
      ["a/", "is not a label key"],
      ["a/b/c", "is not a label key"],
      ["Example.com/a", "is not a label key"],
      ["a".repeat(64), "is not a label key"],
    ],
  ],
  [
    "labelValue",
    rules.labelValue,
    ["", "a", "A_b.c-d", "a".repeat(63)],
    [
      ["a b", "is not a label value"],
      ["-a", "is not a label value"],
      ["a".repeat(64), "is not a label value"],
    ],
  ],
  [
    "stackName",
    rules.stackName,
    ["org/project/stack", "organization/platform-outputs/lab"],
    [
      ["stack", "full name"],
      ["project/stack", "full name"],
      ["a/b/c/d", "full name"],
    ],
  ],
  [
    "userName",
    rules.userName,
    ["root", "ec2-user"],
    [
      ["", "is not a user name"],
      ["a b", "is not a user name"],
      ["-oProxyCommand", "is not a user name"],
    ],
  ],
];

function pemKey(type: "sec1" | "pkcs8", passphrase?: string): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const protection = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return privateKey.export({ type, format: "pem", ...protection }).toString();
}

describe.each(TABLE)("%s", (_, rule, good, bad) => {
  const title = (value: string) => JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  for (const value of good) it(`accepts ${title(value)}`, () => expect(rule(value)).toBeUndefined());
  for (const [value, message] of bad) it(`refuses ${title(value)}`, () => expect(rule(value)).toContain(message));
});

it("accepts an OpenSSH key without passphrase", () => expect(rules.privateKey(openSshKey("none"))).toBeUndefined());

it("never shows a private key in a message", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), (body) => {
      const message = rules.privateKey(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----`);
      return message !== undefined && !message.includes(body);
    }),
  );
});

it("converts every ttl to minutes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999 }), fc.constantFrom("m", "h", "d"), (count, unit) => {
      expect(ttlMinutes(`${count}${unit}`)).toBe(count * (unit === "m" ? 1 : unit === "h" ? 60 : 1440));
    }),
  );
});
