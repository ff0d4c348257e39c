import "reflect-metadata"; // @peculiar/x509 cannot be loaded without it
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Name } from "@peculiar/x509";
import type { HostFile } from "../../../../components/host/hostFiles";
import { configHashOf } from "../../../../components/worker/configHash";
import { publicKeyOf, signCertificate } from "../../../../lab/control-plane/certificates";
import { COMMAND, declareTlsBootstrap, ONE_WORKER, poolWith } from "../oneWorker";
import { ED25519 } from "../../fixtures";
import { REPOSITORY } from "../../../repository";

/** report.sh on files in a folder, and the config hash that the program declares. */
const SCRIPTS = join(REPOSITORY, "components/worker/scripts");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "report-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Runs functions of the scripts, with the folder as the root of what they read and write. */
function shell(commands: string): string {
  const text = (name: string) => readFileSync(join(SCRIPTS, name), "utf8");
  const functions = text("report.sh")
    .replace(/^\. .*$/m, "")
    .replace(/^case "\$1" in[\s\S]*/m, "");
  const places = ["STATE=$root/state", "RECORDS=$STATE/records", "CLIENT_CERTIFICATE=$root/client.pem"];
  const script = [`root=${folder}`, text("common.sh"), ...places, functions, commands].join("\n");
  const { status, stdout, stderr } = spawnSync("sh", ["-eu"], { input: script, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

/** Writes the files below the folder, and records them as the step kubelet does. */
function install(files: readonly HostFile[]): HostFile[] {
  const placed = files.map((file) => ({ ...file, path: join(folder, file.path) }));
  for (const { path, mode, text } of placed) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, parseInt(mode, 8));
  }
  shell(`printf '%s\\n' ${placed.map(({ path }) => path).join(" ")} | record kubelet`);
  return placed;
}

/** The files of the step kubelet of each worker. */
async function declaredFiles(pools: Parameters<typeof declareTlsBootstrap>[0]): Promise<HostFile[][]> {
  const { program } = await declareTlsBootstrap(pools);
  return program.resources
    .filter(({ type, name }) => type === COMMAND && name.endsWith("-kubelet"))
    .map(({ inputs }) =>
      [...(inputs.stdin as string).matchAll(/^file (\d+) (\S+).*<<'END-OF-FILE'\n([\s\S]*?)^END-OF-FILE$/gm)].map(
        ([, mode, path, text]) => ({ mode, path, text }),
      ),
    );
}

const TWO = {
  kubeProxy: { mode: "unit", clusterCidr: "10.128.0.0/16" },
  pools: [
    {
      name: "worker",
      workers: [
        { name: "worker-1", address: "10.0.1.11", hostKey: ED25519, generation: 3 },
        { name: "worker-2", address: "10.0.1.12", hostKey: `${ED25519.slice(0, -2)}AA` },
      ],
    },
    { name: "other", workers: [{ name: "worker-3", address: "10.0.1.13", hostKey: `${ED25519.slice(0, -2)}BB` }] },
  ],
} as const;

describe("the config hash", () => {
  it("is the same for workers with equal settings, whatever their name, address, generation and pool", async () => {
    const files = await declaredFiles(TWO as never);
    const [first, ...others] = files.map(configHashOf);
    expect(files[0].map(({ path }) => path)).toContain("/var/lib/kube-proxy/config.yaml");
    expect(others).toEqual([first, first]);
  });

  it.each([
    ["a kubelet setting", poolWith({ kubelet: { maxPods: 42 } })],
    ["a flag", poolWith({ kubeletFlags: { "cloud-provider": "external" } })],
    ["the Kubernetes version", { kubernetesVersion: "1.34.5" }],
    ["the API server", { cluster: { ...ONE_WORKER.cluster, server: "https://10.0.0.2:6443" } }],
    ["the runtime's settings", poolWith({}, { runtime: { type: "package" } })],
  ])("changes with %s", async (_, changes) => {
    const [before] = await declaredFiles({});
    const [after] = await declaredFiles(changes);
    expect(configHashOf(after)).not.toBe(configHashOf(before));
  });

  it("is what report.sh computes from the files on a host", async () => {
    const [files] = await declaredFiles(TWO as never);
    const placed = install(files);
    expect(shell("config_hash").trim()).toBe(configHashOf(placed));
    writeFileSync(placed[1].path, "changed: true\n");
    expect(shell("config_hash").trim()).not.toBe(configHashOf(placed));
  });
});

describe("report.sh", () => {
  const files: HostFile[] = [
    { path: "/etc/a", mode: "0600", text: "a\n" },
    { path: "/etc/b", mode: "0644", text: "b\n" },
    { path: "/etc/c", mode: "0644", text: "c\n" },
  ];

  it("finds files with another text, with other permissions, and missing ones", () => {
    const [a, b, c] = install(files).map(({ path }) => path);
    expect(shell("changed_files").trim()).toBe("");
    writeFileSync(a, "x\n");
    chmodSync(b, 0o666);
    rmSync(c);
    expect(shell("changed_files").trim()).toBe(`${a} ${b} ${c}`);
  });

  it("writes what differs, and removes what is no longer true", () => {
    install(files);
    const facts = `facts() { printf '%s\\n' 'one 1' 'two 2 b' 'gone ' 'never ' 'new 3'; }`;
    const node = {
      metadata: {
        annotations: { "tls-bootstrap/one": "1", "tls-bootstrap/two": "2", "tls-bootstrap/gone": "x", other: "y" },
        managedFields: [{ fieldsV1: { "f:tls-bootstrap/new": {}, "f:tls-bootstrap/never": {} } }],
      },
    };
    const entries = shell(`${facts}\ndifferences '${JSON.stringify(node)}'`);
    expect(JSON.parse(`{${entries}}`)).toEqual({
      "tls-bootstrap/two": "2 b",
      "tls-bootstrap/gone": null,
      "tls-bootstrap/new": "3",
    });
  });

  it("writes nothing when the Node has it all", () =>
    expect(shell(`facts() { echo 'one 1'; }\ndifferences '{"tls-bootstrap/one":"1"}'`)).toBe(""));
});

describe("a certificate", () => {
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);

  /** Writes a certificate that is valid from `start` to `end` days from now. */
  async function certify(start: number, end: number): Promise<void> {
    const { privateKey: signer } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const name = new Name("CN=system:node:worker-1");
    const validity = { notBefore: inDays(start), notAfter: inDays(end) };
    const certificate = await signCertificate({
      subject: name,
      issuer: name,
      publicKey: publicKeyOf(signer),
      signer,
      ...validity,
    });
    const key = signer.export({ format: "pem", type: "sec1" });
    writeFileSync(join(folder, "client.pem"), `${certificate.toString("pem")}\n${String(key)}`);
  }

  const factOf = (key: string) => new RegExp(`^${key} (.*)$`, "m").exec(shell("facts"))![1];

  it.each([
    [-90, 10, ""],
    [-94, 6, ""],
    [-96, 4, "client"],
    [-100, -1, "client"],
  ])("from day %d to day %d: overdue is '%s'", async (start, end, expected) => {
    await certify(start, end);
    expect(factOf("certificate-overdue")).toBe(expected);
  });

  it("has an end, unless it cannot be read", async () => {
    await certify(-90, 10);
    const { validTo } = new X509Certificate(readFileSync(join(folder, "client.pem")));
    expect(Date.parse(factOf("client-certificate-end"))).toBe(Date.parse(validTo));
    rmSync(join(folder, "client.pem"));
    expect([factOf("client-certificate-end"), factOf("certificate-overdue")]).toEqual(["", ""]);
  });
});
