import { parseNodes, parseTokens } from "../../../tools/status/cluster";
import { compare, type Declared } from "../../../tools/status/compare";
import { renderStatus } from "../../../tools/status/render";

/** The comparison of a stack with its cluster, and its text. */
const NOW = new Date("2026-11-26T12:00:00Z");
const HASH = "sha256:555d";

const WELL = {
  "tls-bootstrap/config-hash": HASH,
  "tls-bootstrap/client-certificate-end": "2026-11-27T11:00:00Z",
  "tls-bootstrap/serving-certificate-end": "2027-11-26T11:00:00Z",
  "tls-bootstrap/runtime": "preinstalled",
  "tls-bootstrap/reported": "2026-11-26",
};

const receipt = (node: string): Declared["receipts"][string] => ({
  node,
  kubeletVersion: "v1.37.2",
  runtime: "preinstalled",
  certificate: { subject: "", issuer: "", notAfter: "" },
  configHash: HASH,
  notes: [],
  ms: { token: 0, certificate: 0, ready: 0, total: 0 },
});

const DECLARED: Declared = {
  receipts: { "worker-1": receipt("worker-1") },
  tokens: { worker: { id: "abc123", expires: "2026-11-26T12:30:00Z", scaleGroup: false } },
  servingCa: "PEM",
};

interface Changes {
  readonly annotations?: Record<string, string | undefined>;
  readonly ready?: string;
  readonly kubeletVersion?: string;
  readonly name?: string;
  readonly scope?: string;
}

/** A Node as kubectl prints it. It is as declared, apart from the changes. */
const node = ({ annotations, ready = "True", kubeletVersion = "v1.37.2", name = "worker-1", scope }: Changes = {}) => ({
  metadata: {
    name,
    labels: { "node-restriction.kubernetes.io/tls-bootstrap": scope ?? "tls-bootstrap-prod" },
    annotations: { "volumes.kubernetes.io/x": "true", ...WELL, ...annotations },
  },
  status: {
    conditions: [
      { type: "MemoryPressure", status: "False" },
      { type: "Ready", status: ready, message: "Kubelet stopped posting node status." },
    ],
    nodeInfo: { kubeletVersion },
  },
});

const encode = (text: string) => Buffer.from(text).toString("base64");
const tokenLine = (id: string, usable: boolean, expires: string) =>
  `bootstrap-token-${id} ${encode(String(usable))} ${encode(expires)}\n`;
const REVOKED = tokenLine("abc123", false, "9999-12-31T23:59:59Z");

const compared = (items: object[], declared: Declared = DECLARED, tokens: string = REVOKED) =>
  compare({
    stack: "prod",
    scope: "tls-bootstrap-prod",
    declared,
    cluster: { nodes: parseNodes(JSON.stringify({ items })), tokens: parseTokens(tokens) },
    now: NOW,
  });

it("finds nothing when all is as declared", () => {
  const status = compared([node()]);
  expect(status).toEqual({
    stack: "prod",
    asDeclared: true,
    workers: [
      {
        name: "worker-1",
        node: "Ready",
        kubeletVersion: { declared: "v1.37.2", actual: "v1.37.2" },
        configHash: { declared: HASH, actual: HASH },
        clientCertificateEnd: "2026-11-27T11:00:00Z",
        servingCertificateEnd: "2027-11-26T11:00:00Z",
        findings: [],
      },
    ],
    tokens: [{ name: "worker", id: "abc123", state: "revoked", findings: [] }],
    undeclared: [],
  });
});

const KUBELET = 'pulumi up --stack prod --replace "**::tls-bootstrap-worker-1-kubelet"';
const HOST = 'pulumi up --stack prod --replace "**::tls-bootstrap-worker-1-host"';
const annotated = (key: string, value?: string) => node({ annotations: { [`tls-bootstrap/${key}`]: value } });

describe.each<[string, object, [what: string, run: string][]]>([
  [
    "a file of the step kubelet that was changed by hand",
    node({
      annotations: {
        "tls-bootstrap/config-hash": "sha256:0",
        "tls-bootstrap/changed-by-hand": "/etc/tls-bootstrap/node.conf /var/lib/kubelet/config.yaml",
      },
    }),
    [["changed by hand: /etc/tls-bootstrap/node.conf, /var/lib/kubelet/config.yaml", KUBELET]],
  ],
  [
    "a file of the runtime that was changed by hand",
    annotated("changed-by-hand", "/etc/containerd/config.toml"),
    [["changed by hand: /etc/containerd/config.toml", KUBELET]],
  ],
  [
    "a file of the step host that was changed by hand",
    annotated("changed-by-hand", "/opt/tls-bootstrap/scripts/leave.sh /var/lib/kubelet/config.yaml"),
    [["changed by hand: /opt/tls-bootstrap/scripts/leave.sh, /var/lib/kubelet/config.yaml", HOST]],
  ],
  [
    "another kubelet version",
    node({ kubeletVersion: "v1.36.3", annotations: { "tls-bootstrap/config-hash": "sha256:0" } }),
    [["its kubelet is v1.36.3, declared is v1.37.2", "pulumi up --stack prod"]],
  ],
  [
    "another config hash",
    annotated("config-hash", "sha256:0"),
    [["its config hash is not the declared one", "pulumi up --stack prod"]],
  ],
  [
    "another runtime",
    annotated("runtime", "tarball containerd 2.3.3"),
    [["its runtime is 'tarball containerd 2.3.3', declared is 'preinstalled'", "pulumi up --stack prod"]],
  ],
  [
    "a node that is not Ready",
    node({ ready: "Unknown" }),
    [
      [
        "it is not Ready: Kubelet stopped posting node status.",
        "on worker-1: journalctl -u kubelet (docs/troubleshooting.md)",
      ],
    ],
  ],
  [
    "a client certificate that has ended, which is why the node is not Ready",
    node({ ready: "Unknown", annotations: { "tls-bootstrap/client-certificate-end": "2026-11-26T11:59:59Z" } }),
    [
      [
        "its client certificate has ended, on 2026-11-26T11:59:59Z",
        "raise the worker's 'generation', then: pulumi up --stack prod",
      ],
    ],
  ],
  [
    "a client certificate that the kubelet has not renewed",
    annotated("certificate-overdue", "client"),
    [
      [
        "its client certificate has not been renewed and ends on 2026-11-27T11:00:00Z",
        "on worker-1: journalctl -u kubelet | grep certificate_manager",
      ],
    ],
  ],
  [
    "a serving certificate that ends soon",
    annotated("certificate-overdue", "serving"),
    [["its serving certificate has not been renewed and ends on 2027-11-26T11:00:00Z", "pulumi up --stack prod"]],
  ],
  [
    "no serving certificate",
    annotated("serving-certificate-end"),
    [["it has reported no serving certificate", "pulumi up --stack prod"]],
  ],
  [
    "a node that no longer reports",
    annotated("reported", "2026-11-23"),
    [
      [
        "its last report is of 2026-11-23",
        "on worker-1: systemctl start tls-bootstrap-report; journalctl -u tls-bootstrap-report; systemctl status tls-bootstrap-report.timer",
      ],
    ],
  ],
])("%s", (_, changed, expected) => {
  it("is found, with what to run", () => {
    const { workers, asDeclared } = compared([changed]);
    expect(workers[0].findings.map(({ what, run }) => [what, run])).toEqual(expected);
    expect(asDeclared).toBe(false);
  });
});

it("needs no report of yesterday or of the day before", () =>
  expect(compared([annotated("reported", "2026-11-24")]).asDeclared).toBe(true));

it("says how to approve a serving certificate that the stack does not sign", () => {
  const { workers } = compared([annotated("serving-certificate-end")], { ...DECLARED, servingCa: undefined });
  expect(workers[0].findings[0].run).toMatch(/^kubectl get csr --field-selector spec.signerName=/);
});

it("finds a worker without a Node, and one that has never reported", () => {
  const bare = { metadata: { name: "worker-2" }, status: node().status };
  const receipts = { ...DECLARED.receipts, "worker-2": receipt("worker-2") };
  const { workers } = compared([bare], { ...DECLARED, receipts });
  expect(workers.map(({ name, node: state, findings }) => [name, state, findings.map(({ what }) => what)])).toEqual([
    ["worker-1", "missing", ["it has no Node"]],
    ["worker-2", "Ready", ["it has never reported"]],
  ]);
  expect(workers[0].findings[0].run).toBe("pulumi up --stack prod --refresh");
});

it("finds a Node of this stack without a receipt, and leaves those of others alone", () => {
  const { undeclared } = compared([
    node(),
    node({ name: "old" }),
    node({ name: "theirs", scope: "tls-bootstrap-dev" }),
  ]);
  expect(undeclared).toEqual([
    {
      name: "old",
      findings: [
        {
          what: "the last complete update of this stack has no worker of this name",
          run: "pulumi up --stack prod; when the settings have no such worker: kubectl delete node old",
        },
      ],
    },
  ]);
});

describe("the token", () => {
  const pool = (id = "abc123") => ({ worker: { id, expires: "", scaleGroup: false } });
  const group = { burst: { id: "abc123", expires: "", scaleGroup: true } };
  const later = "2026-11-26T12:30:00Z";
  it.each([
    ["of a pool, revoked", pool(), REVOKED, "revoked", []],
    ["of a pool, deleted", pool("zzz999"), REVOKED, "gone", []],
    ["of a pool, expired", pool(), tokenLine("abc123", true, "2026-11-26T11:30:00Z"), "expired", []],
    [
      "of a pool, valid",
      pool(),
      tokenLine("abc123", true, later),
      "valid",
      ["an update was not completed, and its token was not revoked"],
    ],
    ["of a scale group, valid", group, tokenLine("abc123", true, later), "valid", []],
    ["of a scale group, deleted", group, "", "gone", ["its machines cannot join"]],
  ])("%s", (_, tokens, secrets, state, findings) => {
    const [token] = compared([node()], { ...DECLARED, tokens }, secrets).tokens;
    expect([token.state, token.findings.map(({ what }) => what)]).toEqual([state, findings]);
  });
});

it("is rendered with a row for each part, and what to run below it", () => {
  const receipts = { ...DECLARED.receipts, "worker-2": receipt("worker-2") };
  const drifted = node({
    annotations: {
      "tls-bootstrap/config-hash": "sha256:0",
      "tls-bootstrap/changed-by-hand": "/var/lib/kubelet/config.yaml",
    },
  });
  const status = compared([drifted, node({ name: "old" })], { ...DECLARED, receipts });
  expect(renderStatus(status)).toBe(`Stack prod

WORKER     NODE           KUBELET   CONFIG    CLIENT CERTIFICATE UNTIL   SERVING CERTIFICATE UNTIL
worker-1   Ready          v1.37.2   differs   2026-11-27T11:00:00Z       2027-11-26T11:00:00Z
  changed by hand: /var/lib/kubelet/config.yaml
    run: ${KUBELET}
worker-2   missing        -         -         -                          -
  it has no Node
    run: pulumi up --stack prod --refresh
old        not declared
  the last complete update of this stack has no worker of this name
    run: pulumi up --stack prod; when the settings have no such worker: kubectl delete node old

TOKEN OF   ID       STATE
worker     abc123   revoked

Not all is as declared.`);
});
