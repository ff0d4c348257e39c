import { execFile } from "node:child_process";
import { hash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { readChecksums } from "../../../../components/downloads/checksums";
import { downloadsOf } from "../../../../components/downloads/downloads";
import { environmentSchema } from "../../../../components/spec/bootstrapSchema";
import { REPOSITORY } from "../../../repository";
import { ED25519_OTHER } from "../../fixtures";
import { good, report } from "../../settings/goodSettings";

const folder = mkdtempSync(join(tmpdir(), "checksums-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function write(text: string): string {
  const file = join(folder, `${++files}`);
  writeFileSync(file, text);
  return file;
}
const SHA256 = "a".repeat(64);
const lines = (version: string, names: string[], architecture = "amd64") =>
  names.map((name) => `${SHA256}  v${version}/bin/linux/${architecture}/${name}\n`).join("");
const BINARIES = ["kubelet", "kubectl"];
const { kubernetesVersion } = good;
const problems = (change: Record<string, unknown>) => report(change).slice(1);

describe("the setting checksums", () => {
  it("is accepted with all binaries of one architecture, also in binary mode of sha256sum", () => {
    expect(problems({ checksums: write(lines(kubernetesVersion, BINARIES, "arm64")) })).toEqual([]);
    expect(problems({ checksums: write(lines(kubernetesVersion, BINARIES).replace(/ {2}/g, " *")) })).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    [
      "a file that does not exist",
      join(folder, "missing"),
      /checksums: '\S+' does not exist; write it: npm run checksums/,
    ],
    ["a file of another format", write(`${SHA256}\n`), /checksums: '\S+' has no checksum and path in line 1/],
    [
      "a file without a binary",
      write(lines(kubernetesVersion, ["kubelet"])),
      /checksums: '\S+' lacks v1\.34\.4\/bin\/linux\/amd64\/kubectl; write it again: npm run checksums/,
    ],
  ])("refuses %s", (_, checksums, problem) =>
    expect(problems({ checksums })).toEqual([expect.stringMatching(problem)]),
  );

  it("needs the version of each worker, and kube-proxy where it is a unit", () => {
    const [pool] = good.pools;
    const workers = pool.workers.map((worker) => ({ ...worker, kubernetesVersion: "1.34.5" }));
    const change = { pools: [{ ...pool, workers }], kubeProxy: { mode: "unit", clusterCidr: "10.244.0.0/16" } };
    expect(problems({ ...change, checksums: write(lines(kubernetesVersion, BINARIES)) })).toEqual([
      expect.stringMatching(/lacks v1\.34\.5\S+\/kubelet, \S+\/kubectl, \S+\/kube-proxy;/),
    ]);
    const all = write(lines("1.34.5", [...BINARIES, "kube-proxy"]));
    expect(problems({ ...change, checksums: all })).toEqual([]);
  });

  it("gives the checksums of what workers download", () => {
    const file = write(lines(kubernetesVersion, BINARIES));
    expect([...readChecksums(file).values()]).toEqual([SHA256, SHA256]);
    const environment = environmentSchema
      .pick({ checksums: true, downloadUrl: true, kubeProxy: true, runtime: true })
      .parse({ checksums: file });
    const downloads = downloadsOf({ ...environment, kubernetesVersions: [kubernetesVersion] }, "amd64");
    expect(downloads.map(({ verifiedBy }) => verifiedBy)).toEqual([{ sha256: SHA256 }, { sha256: SHA256 }]);
  });
});

describe("npm run checksums", () => {
  jest.setTimeout(60_000); // it starts the command

  it("writes what the site publishes for all versions and architectures of a stack, and the setting", async () => {
    const server = createServer(({ url }, answer) => {
      answer.writeHead(url!.endsWith(".sha256") ? 200 : 404).end(hash("sha256", url!));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const [worker] = good.pools[0].workers;
    const other = { name: "worker-2", address: "10.0.1.12", hostKey: ED25519_OTHER, kubernetesVersion: "1.34.5" };
    const config = {
      "tls-bootstrap:kubernetesVersion": kubernetesVersion,
      "tls-bootstrap:pools": [{ name: "worker", workers: [worker, other] }],
    };
    const [stack, output] = [write(stringify({ config })), join(folder, "SHA256SUMS")];
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/release/`;
    const argv = ["--import", "tsx", "tools/checksums/makeChecksums.ts", stack, "--from", from, "--output", output];
    const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: REPOSITORY }).finally(() => {
      server.closeAllConnections();
      server.close();
    });
    expect(stdout).toBe(`  tls-bootstrap:checksums: ${output}\n`);
    const paths = [kubernetesVersion, "1.34.5"].flatMap((version) =>
      ["amd64", "arm64"].flatMap((architecture) =>
        ["kubectl", "kubelet"].map((name) => `v${version}/bin/linux/${architecture}/${name}`),
      ),
    );
    expect([...readChecksums(output)]).toEqual(paths.map((path) => [path, hash("sha256", `/release/${path}.sha256`)]));
  });
});

describe("a site without encryption", () => {
  const downloadUrl = "http://mirror.example.com";

  it("is refused without checksums of the stack", () => {
    expect(problems({ downloadUrl })).toEqual([
      expect.stringContaining("tls-bootstrap:downloadUrl: is not encrypted, so 'checksums' is required: npm run"),
    ]);
    expect(problems({ downloadUrl, checksums: write(lines(kubernetesVersion, BINARIES)) })).toEqual([]);
    expect(problems({ downloadUrl, checksums: write("") })).toEqual([expect.stringContaining("lacks")]);
  });

  it("is refused for a runtime without checksums in the settings", () => {
    const runtime = { type: "tarball", downloadUrl, runc: { version: "1.0.0" } };
    const pools = [{ ...good.pools[0], runtime }];
    expect(problems({ pools })).toEqual([
      expect.stringContaining(
        "tls-bootstrap:pools[0].runtime.downloadUrl: is not encrypted, so the sha256 of containerd, runc and cniPlugins is required",
      ),
    ]);
    const sha256 = { amd64: SHA256 };
    expect(problems({ pools: [{ ...pools[0], runtime: { ...runtime, runc: { version: "1.0.0", sha256 } } }] })).toEqual(
      [],
    );
  });
});
