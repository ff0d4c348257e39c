import { renderPacked } from "../../../../components/host/hostFiles";
import { createAuthority } from "../../../../lab/control-plane/certificates";
import { CA } from "../../fixtures";
import { parsePreview, SECRET, UNKNOWN } from "../../../../tools/summary/preview";
import { changedLines } from "../../../../tools/summary/files";
import { nameList } from "../../../../tools/summary/lists";
import { renderSummary } from "../../../../tools/summary/render";

/** Made by hand, for what no recording has: many workers, other resources, secrets, new scripts, text that is no preview. */
const PROJECT = "urn:pulumi:prod::tls-bootstrap::";
const WITHIN = "tls-bootstrap:index:TlsBootstrap$tls-bootstrap:index:WorkerPool$tls-bootstrap:index:Worker";
const COMMAND = "command:remote:Command";

const file = (path: string, text: string, unit = "") =>
  `file 0600 ${path}${unit && ` ${unit}`} <<'END-OF-FILE'\n${text}END-OF-FILE\n`;
const kubeletConfig = (text: string) => file("/var/lib/kubelet/config.yaml", text, "kubelet");

interface StepChange {
  readonly op?: string;
  readonly stdin?: readonly [old: unknown, now: unknown];
  readonly barrier?: number;
  readonly differs?: readonly string[];
}

/** A change of a worker's step. */
function step(worker: string, name: string, { op = "update", stdin, barrier, differs }: StepChange) {
  const state = (text: unknown) => ({
    parent: `${PROJECT}${WITHIN}::tls-bootstrap-${worker}`,
    inputs: { connection: SECRET, ...(text !== undefined && { stdin: text }) },
    dependencies: barrier
      ? [`${PROJECT}random:index/randomString:RandomString::tls-bootstrap-a-batch-${barrier}`]
      : null,
  });
  const urn = `${PROJECT}${WITHIN}$${COMMAND}::tls-bootstrap-${worker}-${name}`;
  return { op, urn, oldState: state(stdin?.[0]), newState: state(stdin?.[1]), diffReasons: differs };
}

const other = (op: string, type: string, name: string, inputs: object = {}) => ({
  op,
  urn: `${PROJECT}${type}::${name}`,
  newState: { inputs },
});

const summaryOf = (...steps: object[]): string[] =>
  renderSummary(parsePreview(JSON.stringify({ steps, changeSummary: { same: 1 } }), "preview.json")).split("\n");

it("says the same change to 40 workers once", () => {
  const stdin = [kubeletConfig("a: 1\n"), kubeletConfig("a: 2\n")] as const;
  const workers = Array.from({ length: 40 }, (_, i) => step(`worker-${i + 1}`, "kubelet", { stdin }));
  expect(summaryOf(...workers)).toEqual([
    "### prod: 40 of 41 resources change",
    "",
    "- **Restart** kubelet: worker-1 to worker-40, all at once",
    "",
    "Lines that change on worker-1 to worker-40:",
    "```diff",
    "@@ /var/lib/kubelet/config.yaml @@",
    "-a: 1",
    "+a: 2",
    "```",
  ]);
});

it("lists the first of many batches", () => {
  const stdin = [kubeletConfig("a: 1\n"), kubeletConfig("a: 2\n")] as const;
  const workers = Array.from({ length: 40 }, (_, i) => step(`worker-${i + 1}`, "kubelet", { stdin, barrier: i }));
  expect(summaryOf(...workers)[2]).toBe(
    "- **Restart** kubelet: worker-1; then worker-2; then worker-3; then worker-4; then worker-5; then in 35 more batches worker-6 to worker-40",
  );
});

it("shows no more than a screen of lines, and of groups of workers", () => {
  const text = (from: number) => kubeletConfig(Array.from({ length: 100 }, (_, i) => `k${from + i}: 1\n`).join(""));
  const workers = Array.from({ length: 20 }, (_, i) =>
    step(`w-${i + 1}`, "kubelet", { stdin: [text(i), text(200 + i)] }),
  );
  const lines = summaryOf(...workers);
  expect(lines.length).toBeLessThan(5 * 50);
  expect(lines).toContain("… 161 more lines, see pulumi preview --diff");
  expect(lines.at(-1)).toBe("15 more workers with other lines, see `pulumi preview --diff`: w-6 to w-20");
});

it("counts resources that it does not know", () =>
  expect(
    summaryOf(
      other("create", "aws:ec2/instance:Instance", "a"),
      other("create", "aws:ec2/instance:Instance", "b"),
      other("delete", "aws:ec2/vpc:Vpc", "c"),
    ),
  ).toEqual([
    "### prod: 3 of 4 resources change",
    "",
    "- **Other resources**: 2 created aws:ec2/instance:Instance, 1 deleted aws:ec2/vpc:Vpc",
  ]));

it("shows no secret: neither what Pulumi hides nor the inputs of resources that it does not know", () => {
  const lines = summaryOf(
    step("worker-1", "kubelet", { stdin: [SECRET, SECRET], differs: ["stdin"] }),
    step("worker-2", "join", { op: "replace", stdin: ["token: abc123.0123456789abcdef", SECRET] }),
    other("create", "random:index/randomPassword:RandomPassword", "p", { result: "hunter2" }),
    other("create", "kubernetes:core/v1:Secret", "s", { stringData: { password: "hunter2" } }),
  );
  expect(lines).toContain("- **Files** are secret: worker-1");
  expect(lines.join("\n")).not.toMatch(/hunter2|abc123/);
});

it("says when files are known only during the update", () =>
  expect(summaryOf(step("worker-1", "kubelet", { stdin: [kubeletConfig("a: 1\n"), UNKNOWN] }))).toContain(
    "- **Files** are known only during the update: worker-1",
  ));

it("names the scripts that change with a release of this module, without their lines", () => {
  const script = (text: string) =>
    renderPacked([{ path: "/opt/tls-bootstrap/scripts/join.sh", mode: "0755", text }]) + "\n";
  const lines = summaryOf(step("worker-1", "host", { stdin: [script("a\n"), script("b\n")] }));
  expect(lines).toContain("- **Scripts of this module** (join.sh): worker-1");
  expect(lines.join("\n")).not.toContain("```");
});

it("lines of a file do not end the block that shows them", () =>
  expect(summaryOf(step("worker-1", "kubelet", { stdin: [kubeletConfig("a\n"), kubeletConfig("```\n")] })).at(-1)).toBe(
    "````",
  ));

it("says which pool's kubelets restart together, pool by pool", () => {
  const conf = (pool: string) =>
    file("/etc/tls-bootstrap/node.conf", `MINT_COMMAND='pulumi up --replace "**::${pool}-token-clock"'\n`);
  const change = (worker: string, pool: string) =>
    step(worker, "kubelet", { stdin: [kubeletConfig("a\n") + conf(pool), kubeletConfig("b\n") + conf(pool)] });
  expect(summaryOf(change("a-1", "a"), change("a-2", "a"), change("b-1", "b")).slice(2, 4)).toEqual([
    "- **Restart** kubelet: a-1, a-2, all at once",
    "- **Restart** kubelet: b-1",
  ]);
});

it("says what must hold when a CA is removed, batch by batch, and what comes in its place", async () => {
  const { certificate } = await createAuthority("next-ca", new Date());
  const stdin = [CA, certificate].map((text) => file("/etc/kubernetes/pki/ca.crt", text, "kubelet"));
  const change = (worker: string, barrier = 0) => step(worker, "kubelet", { stdin: [stdin[0], stdin[1]], barrier });
  expect(summaryOf(change("worker-1"), change("worker-2", 1)).slice(2, 5)).toEqual([
    "- **Restart** kubelet: worker-1; then worker-2",
    "- **CA removed** CN=kubernetes-ca (the API server must have other certificates first: its own, and the one with which it calls kubelets): worker-1, worker-2",
    "- **CA added** CN=next-ca (each node asks the API server first; no Node, certificate or token is replaced): worker-1, worker-2",
  ]);
});

it("fits into a comment, however many errors there are", () => {
  const errors = Array.from({ length: 500 }, (_, i) => ({ severity: "error", message: `${i} ${"x".repeat(1000)}` }));
  const text = renderSummary(parsePreview(JSON.stringify({ diagnostics: errors }), "prod.json"));
  expect(text.length).toBeLessThan(65_536);
  expect(text).toContain("… 440 more lines, see the log of the preview");
});

it("shows warnings", () => {
  const diagnostics = [{ severity: "warning", message: "warning: it is too wide\nmore" }];
  const steps = [other("create", "aws:ec2/vpc:Vpc", "c")];
  const text = renderSummary(parsePreview(JSON.stringify({ steps, diagnostics, changeSummary: {} }), "prod.json"));
  expect(text).toContain("- **Warning**: warning: it is too wide");
});

it("says that a certificate is renewed beside another change", () => {
  const certificate = {
    ...step("worker-1", "serving-certificate", { op: "replace" }),
    urn: `${PROJECT}${WITHIN}$tls-bootstrap:index:ServingCertificate$tls:index:LocallySignedCert::tls-bootstrap-worker-1-serving-certificate`,
  };
  certificate.newState.parent = `${certificate.newState.parent}-serving`;
  const lines = summaryOf(certificate, step("worker-1", "host", { stdin: ["", ""], differs: ["create"] }));
  expect(lines.slice(2)).toEqual([
    "- **Run again** with another create: worker-1",
    "- **New serving certificate** (the kubelet restarts): worker-1",
  ]);
});

describe("a preview that failed", () => {
  it("shows its errors", () =>
    expect(
      renderSummary(
        parsePreview(JSON.stringify({ diagnostics: [{ severity: "error", message: "it is wrong\n" }] }), "prod.json"),
      ).split("\n"),
    ).toEqual(["### prod.json: the preview failed", "", "```text", "it is wrong", "```"]));

  it("is not taken for one without changes when it was interrupted", () =>
    expect(
      renderSummary(parsePreview(JSON.stringify({ steps: [other("same", "pulumi:pulumi:Stack", "s")] }), "prod.json")),
    ).toContain("The preview ended before it was complete."));
});

it.each([
  ["", "prod.json: is empty; make it with: pulumi preview --json"],
  ["Previewing update (prod)", "prod.json: is not JSON"],
  ["[]", "prod.json: is JSON, but no preview"],
  [JSON.stringify({ version: 3, deployment: {} }), "prod.json: is JSON, but no preview"],
])("refuses '%s'", (text, message) => expect(() => parsePreview(text, "prod.json")).toThrow(message));

describe("the lines that change", () => {
  it.each([
    [
      "a nested value below its parents",
      "a:\n  b:\n    c: 1\n",
      "a:\n  b:\n    c: 2\n",
      [" a:", "   b:", "-    c: 1", "+    c: 2"],
    ],
    [
      "a parent once",
      "a:\n  b: 1\n  c: 1\n  d: 1\n",
      "a:\n  b: 2\n  c: 1\n  d: 2\n",
      [" a:", "-  b: 1", "+  b: 2", "-  d: 1", "+  d: 2"],
    ],
    ["a line that comes", "a: 1\nc: 1\n", "a: 1\nb: 1\nc: 1\n", ["+b: 1"]],
    ["a line that goes", "a: 1\nb: 1\n", "a: 1\n", ["-b: 1"]],
  ])("are %s", (_, before, after, lines) => expect(changedLines(before, after)).toEqual(lines));
});

it.each([
  [["worker-10", "worker-2", "worker-1"], "worker-1, worker-2, worker-10"],
  [["a-1", "a-2", "a-3", "b-1"], "a-1 to a-3, b-1"],
  [["a-09", "a-10", "a-11"], "a-09 to a-11"],
  [Array.from({ length: 12 }, (_, i) => `n${"abcdefghijkl"[i]}`), "na, nb, nc, nd, ne, nf, ng, nh, and 4 more"],
])("%j is '%s'", (names, text) => expect(nameList(names)).toBe(text));
