import { renderKubeconfig } from "../../../components/cluster/kubeconfig";
import { CA, ED25519, openSshKey, SSH_KEY } from "../fixtures";
import { describeRefusals, good, worker } from "./goodSettings";

describeRefusals("the place of the cluster", [
  ["neither cluster nor platform", { cluster: undefined }, ["tls-bootstrap:cluster: is required (or 'platform')"]],
  [
    "both cluster and platform",
    { platform: "a/b/c" },
    ["tls-bootstrap:cluster: cannot be given together with 'platform'"],
  ],
  ["no credentials", { cluster: { server: "https://a", ca: CA } }, ["tls-bootstrap:cluster.kubeconfig: is required"]],
  [
    "an empty cluster",
    { cluster: {} },
    [
      "tls-bootstrap:cluster.server: is required",
      "tls-bootstrap:cluster.ca: is required",
      "tls-bootstrap:cluster.kubeconfig: is required",
    ],
  ],
  [
    "a kubeconfig without CA",
    { cluster: { kubeconfig: "a: b" } },
    ["tls-bootstrap:cluster.kubeconfig: has no current context"],
  ],
  [
    "a kubeconfig whose CA is no certificate",
    { cluster: { kubeconfig: renderKubeconfig({ server: "https://a", ca: "x" }, "admin", { token: "t" }) } },
    ["tls-bootstrap:cluster.kubeconfig: has a wrong CA in its current context: it holds no PEM certificate"],
  ],
  [
    "a kubeconfig whose server has no TLS",
    { cluster: { kubeconfig: renderKubeconfig({ server: "http://a", ca: CA }, "admin", { token: "t" }) } },
    ["tls-bootstrap:cluster.kubeconfig: has a wrong server in its current context: it must begin with https://"],
  ],
  [
    "a certificate without key",
    { cluster: { server: "https://a", ca: CA, clientCertificate: "C" } },
    ["tls-bootstrap:cluster.clientKey: is required"],
  ],
  [
    "a bad CA",
    { cluster: { server: "https://a", ca: "x", token: "t" } },
    ["tls-bootstrap:cluster.ca: holds no PEM certificate"],
  ],
  [
    "a bad URL",
    { cluster: { server: "http://a", ca: CA, token: "t" } },
    ["tls-bootstrap:cluster.server: 'http://a' must begin with https://"],
  ],
  [
    "a short platform name",
    { cluster: undefined, platform: "prod" },
    ["tls-bootstrap:platform: 'prod' is not the full name of a stack"],
  ],
]);

describeRefusals("the version of Kubernetes", [
  ["no version", { kubernetesVersion: undefined }, ["tls-bootstrap:kubernetesVersion: is required"]],
  [
    "an unsupported version",
    { kubernetesVersion: "1.20.1" },
    ["tls-bootstrap:kubernetesVersion: '1.20.1' is not supported"],
  ],
]);

describeRefusals("the version of the API servers", [
  [
    "no version",
    { cluster: { ...good.cluster, kubernetesVersion: "v1.36" } },
    ["tls-bootstrap:cluster.kubernetesVersion: 'v1.36' is not a version such as 1.37.2 (no leading 'v')"],
  ],
  [
    "kubelets that are newer or too old, beside other problems of the cluster",
    {
      cluster: { ...good.cluster, kubernetesVersion: "1.36.3", token: "t" },
      kubernetesVersion: "1.37.2",
      ...worker({ kubernetesVersion: "1.37.1" }),
    },
    [
      "tls-bootstrap:cluster.kubeconfig: cannot be given together",
      "tls-bootstrap:kubernetesVersion: '1.37.2' is newer than the API servers' 1.36.3 (cluster.kubernetesVersion): upgrade the API servers first",
      "tls-bootstrap:pools[0].workers[0].kubernetesVersion: '1.37.1' is newer",
    ],
  ],
]);

describeRefusals("SSH", [
  ["no SSH key", { ssh: { user: "debian" } }, ["tls-bootstrap:ssh.privateKey: is required"]],
  [
    "a public key in place of a private one",
    { ssh: { privateKey: ED25519 } },
    ["tls-bootstrap:ssh.privateKey: is not a private key"],
  ],
  [
    "a key whose passphrase is missing",
    { ssh: { privateKey: openSshKey("aes256-ctr") } },
    ["tls-bootstrap:ssh.privateKey: is protected by a passphrase: set privateKeyPassword too"],
  ],
  [
    "a passphrase for a key that has none",
    { ssh: { privateKey: SSH_KEY, privateKeyPassword: "hush" } },
    ["tls-bootstrap:ssh.privateKeyPassword: is given for a key without a passphrase"],
  ],
  [
    "a passphrase without a key",
    { ssh: { agent: true, privateKeyPassword: "hush" } },
    ["tls-bootstrap:ssh.privateKeyPassword: belongs to a privateKey"],
  ],
  [
    "a key and an agent, for all pools and for one",
    {
      ssh: { privateKey: SSH_KEY, agent: true },
      pools: [{ ...good.pools[0], ssh: { privateKey: SSH_KEY, agent: true } }],
    },
    ["tls-bootstrap:ssh.agent: excludes privateKey", "tls-bootstrap:pools[0].ssh.agent: excludes privateKey"],
  ],
  [
    "a bastion's key whose passphrase is missing",
    { ssh: { agent: true, bastion: { host: "b", hostKey: ED25519, privateKey: openSshKey("aes256-ctr") } } },
    ["tls-bootstrap:ssh.bastion.privateKey: is protected by a passphrase"],
  ],
  ["no SSH settings", { ssh: undefined }, ["tls-bootstrap:ssh: is required"]],
  [
    "text in place of a map",
    { ssh: "root@worker" },
    ["tls-bootstrap:ssh: is text, but must be a list or map of settings"],
  ],
  [
    "a bastion without host key",
    { ssh: { privateKey: SSH_KEY, bastion: { host: "b" } } },
    ["tls-bootstrap:ssh.bastion.hostKey: is required"],
  ],
]);

describeRefusals("tokens and DNS", [
  ["a token that never expires", { tokenTtl: "never" }, ["tls-bootstrap:tokenTtl: 'never' is not a duration"]],
  ["a bad DNS address", { clusterDns: ["10.96.0"] }, ["tls-bootstrap:clusterDns[0]: '10.96.0' is not an IP address"]],
]);

describeRefusals("serving certificates", [
  [
    "an unknown mode of serving certificates",
    { servingCertificates: { mode: "none" } },
    ["tls-bootstrap:servingCertificates.mode"],
  ],
  [
    "a CA without key",
    { servingCertificates: { ca: { certificate: CA } } },
    ["tls-bootstrap:servingCertificates.ca.key: is required"],
  ],
  [
    "a CA with the key of another",
    { servingCertificates: { ca: { certificate: CA, key: SSH_KEY } } },
    ["tls-bootstrap:servingCertificates.ca.key: is not the key of 'certificate'"],
  ],
  [
    "a CA whose key is no PEM",
    { servingCertificates: { ca: { certificate: CA, key: "AAAA" } } },
    ["tls-bootstrap:servingCertificates.ca.key: cannot be read as a PEM private key without a passphrase"],
  ],
  [
    "a CA and an image in a mode that uses neither",
    { servingCertificates: { mode: "manual", ca: { certificate: CA, key: SSH_KEY }, image: "a/b:1" } },
    [
      "tls-bootstrap:servingCertificates.ca.key: is not the key of 'certificate'",
      "tls-bootstrap:servingCertificates.ca: is for the mode 'issued'; in 'manual' the cluster signs",
      "tls-bootstrap:servingCertificates.image: 'a/b:1' is the approver's image",
    ],
  ],
  [
    "an image name with a blank",
    { servingCertificates: { mode: "approver", image: "a b" } },
    ["tls-bootstrap:servingCertificates.image: 'a b' is not a full image name"],
  ],
  [
    "kubelet settings that contradict the mode 'issued'",
    {
      kubelet: { serverTLSBootstrap: true },
      ...worker({ kubelet: { serverTLSBootstrap: false, tlsCertFile: "/a", tlsPrivateKeyFile: "/b" } }),
    },
    [
      "tls-bootstrap:kubelet.serverTLSBootstrap: cannot be true: it follows from servingCertificates.mode, which is 'issued'; with 'approver' and 'manual' kubelets ask the cluster",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsCertFile: cannot be set",
      "tls-bootstrap:pools[0].workers[0].kubelet.tlsPrivateKeyFile: cannot be set",
    ],
  ],
  [
    "kubelet settings that contradict the mode 'manual'",
    {
      servingCertificates: { mode: "manual" },
      kubelet: { serverTLSBootstrap: false, featureGates: { RotateKubeletServerCertificate: false } },
    },
    [
      "tls-bootstrap:kubelet.serverTLSBootstrap: cannot be false: it follows from servingCertificates.mode, which is 'manual'",
      "tls-bootstrap:kubelet.featureGates.RotateKubeletServerCertificate: cannot be false: with servingCertificates.mode 'manual' the kubelet needs it",
    ],
  ],
]);

describeRefusals("modes and groups", [
  ["an unknown mode of cluster-info", { clusterInfo: "adopt" }, ["tls-bootstrap:clusterInfo"]],
  ["a policy that only warns", { joinPolicy: "warn" }, ["tls-bootstrap:joinPolicy"]],
  [
    "a group that no token can have",
    { bindings: { group: "system:masters" } },
    ["tls-bootstrap:bindings.group: 'system:masters' is not a bootstrap token group"],
  ],
]);

describeRefusals("kube-proxy", [
  [
    "kube-proxy without the pods' network",
    { kubeProxy: { mode: "unit" } },
    ["tls-bootstrap:kubeProxy.clusterCidr: is required: the pods' network"],
  ],
  [
    "invalid kube-proxy settings",
    {
      kubeProxy: {
        mode: "daemonset",
        clusterCidr: "10.244.0.0",
        image: "kube-proxy",
        config: {
          mode: "ipvs",
          ipvs: {},
          conntrack: { maxPerCore: -1, udpTimeout: "5" },
          nodePortAddresses: ["10.0.0.1"],
        },
      },
    },
    [
      "tls-bootstrap:kubeProxy.clusterCidr: '10.244.0.0' is not a CIDR",
      "tls-bootstrap:kubeProxy.image: 'kube-proxy' is not a full image name",
      'tls-bootstrap:kubeProxy.config.mode: Invalid option: expected one of "iptables"|"nftables"',
      "tls-bootstrap:kubeProxy.config.nodePortAddresses[0]: '10.0.0.1' is not a CIDR",
      "tls-bootstrap:kubeProxy.config.conntrack.maxPerCore: ",
      "tls-bootstrap:kubeProxy.config.conntrack.udpTimeout: '5' is not a duration",
      "tls-bootstrap:kubeProxy.config.ipvs: is not a setting",
    ],
  ],
  ["an unknown mode of kube-proxy", { kubeProxy: { mode: "pod" } }, ["tls-bootstrap:kubeProxy.mode"]],
]);

describeRefusals("downloads", [
  [
    "a mirror with a password",
    { downloadUrl: "https://u:p@mirror" },
    ["tls-bootstrap:downloadUrl: 'https://…@mirror' holds credentials"],
  ],
]);
