import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { airGapProblem, readAirGap } from "../../../../components/downloads/airGap";
import { TlsBootstrap } from "../../../../components";
import { downloadsForStack, makeArchive } from "../../../../tools/air-gap/archive";
import { environmentSchema } from "../../../../components/spec/bootstrapSchema";
import { checkBootstrap } from "../../../../components/spec/check";
import { CA, ED25519, ED25519_OTHER, SSH_KEY } from "../../fixtures";
import { Program } from "../program";

const VERSION = "1.34.4";
/** The settings that decide about downloads, with their defaults. */
const downloads = (change: object = {}, kubernetesVersions = [VERSION]) => ({
  kubernetesVersions,
  ...environmentSchema.pick({ downloadUrl: true, kubeProxy: true, runtime: true }).parse(change),
});
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("an air-gap archive", () => {
  /** The files of the download sites by path. Any other path is a 404. */
  const site = new Map<string, string>();
  const server = createServer((request, answer) => {
    const text = site.get(request.url!);
    answer.writeHead(text === undefined ? 404 : 200).end(text);
  });
  let folder: string;
  let url: string;

  beforeAll(async () => {
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    folder = await mkdtemp(join(tmpdir(), "air-gap-"));
  });

  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  beforeEach(() => {
    site.clear();
    for (const name of ["kubelet", "kubectl", "kube-proxy"]) {
      site.set(`/k8s/v${VERSION}/bin/linux/amd64/${name}`, name);
      site.set(`/k8s/v${VERSION}/bin/linux/amd64/${name}.sha256`, sha256(name));
    }
    const runc = "/releases/opencontainers/runc/releases/download/v1.3.0";
    site.set(`${runc}/runc.amd64`, "runc");
    site.set(`${runc}/runc.sha256sum`, `${sha256("other")}  runc.arm64\n${sha256("runc")} *runc.amd64\n`);
    const containerd = "/releases/containerd/containerd/releases/download/v2.2.0/containerd-2.2.0-linux-amd64.tar.gz";
    site.set(containerd, "containerd");
    site.set(`${containerd}.sha256sum`, `${sha256("containerd")}  containerd-2.2.0-linux-amd64.tar.gz\n`);
    site.set(
      "/releases/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz",
      "plugins",
    );
  });

  const runtime = () =>
    ({
      type: "tarball",
      downloadUrl: `${url}/releases/`,
      containerd: { version: "2.2.0" },
      runc: { version: "1.3.0" },
      cniPlugins: { sha256: { amd64: sha256("plugins") } },
    }) as const;

  let files = 0;
  /** Makes the archive for a stack with these settings. Returns its path. */
  async function make(settings: object = {}): Promise<string> {
    const [stack, output] = [join(folder, `Pulumi.${++files}.yaml`), join(folder, `${files}.tar`)];
    const config = {
      "tls-bootstrap:kubernetesVersion": VERSION,
      "tls-bootstrap:downloadUrl": `${url}/k8s`,
      "tls-bootstrap:ssh": { privateKey: { secure: "v1:encrypted" } },
      "tls-bootstrap:pools": [{ name: "worker", workers: [] }],
      ...settings,
    };
    await writeFile(stack, stringify({ config }));
    await makeArchive(await downloadsForStack(stack, "amd64"), output, () => {});
    return output;
  }

  it("contains what the settings need, and has the same digest when it is made again", async () => {
    const [one, other] = [await make(), await make()];
    const { digest, files } = readAirGap(one);
    const at = `kubernetes/v${VERSION}/bin/linux/amd64`;
    expect([...files].sort()).toEqual([
      `${at}/kubectl`,
      `${at}/kubectl.sha256`,
      `${at}/kubelet`,
      `${at}/kubelet.sha256`,
    ]);
    expect(readAirGap(other).digest).toBe(digest);
    expect(airGapProblem(one, downloads())).toBeUndefined();
  });

  it("contains kube-proxy and the runtime releases that any pool needs", async () => {
    const kubeProxy = { mode: "unit", clusterCidr: "10.244.0.0/16" } as const;
    const file = await make({
      "tls-bootstrap:kubeProxy": kubeProxy,
      "tls-bootstrap:pools": [
        { name: "worker", workers: [] },
        { name: "bare", runtime: runtime(), workers: [] },
      ],
    });
    expect(airGapProblem(file, downloads({ kubeProxy, runtime: runtime() }))).toBeUndefined();
    expect([...readAirGap(file).files].filter((path) => path.startsWith("releases/"))).toHaveLength(5); // a pinned checksum needs no checksum file
  });

  it.each([
    [
      "kube-proxy",
      { kubeProxy: { mode: "unit", clusterCidr: "10.244.0.0/16" } as const },
      /^lacks kubernetes\/\S+\/kube-proxy, kubernetes\/\S+\/kube-proxy\.sha256; make it again: npm run air-gap/,
    ],
    [
      "runtime releases",
      { runtime: { type: "tarball" } as const },
      /^lacks releases\/containerd\/containerd\/\S+, releases\/opencontainers\/runc\S+, releases\/containernetworking/,
    ],
    ["packages", { runtime: { type: "package" } as const }, /^cannot contain the packages/],
  ])("is refused when workers need %s that it lacks", async (_, args, problem) => {
    expect(airGapProblem(await make(), downloads(args))).toMatch(problem);
  });

  it("is refused when workers need a version that it lacks", async () =>
    expect(airGapProblem(await make(), downloads({}, [VERSION, "1.34.5"]))).toMatch(
      /^lacks kubernetes\/v1\.34\.5\/bin\/linux\/amd64\/kubelet, [^v]*v1\.34\.5\S+kubelet\.sha256, [^v]*v1\.34\.5/,
    ));

  it("contains the versions of all workers, and of pools without workers", async () => {
    const versions = { "1.34.5": "worker", "1.35.1": "pool", "1.36.1": "empty pool" };
    for (const version of Object.keys(versions))
      for (const name of ["kubelet", "kubectl"]) {
        site.set(`/k8s/v${version}/bin/linux/amd64/${name}`, name);
        site.set(`/k8s/v${version}/bin/linux/amd64/${name}.sha256`, sha256(name));
      }
    const one = { name: "one", address: "10.0.1.11", hostKey: ED25519 };
    const two = { name: "two", address: "10.0.1.12", hostKey: ED25519_OTHER };
    const pools = [
      { name: "a", workers: [{ ...one, kubernetesVersion: "1.34.5" }] },
      { name: "b", kubernetesVersion: "1.35.1", workers: [two] },
      { name: "c", kubernetesVersion: "1.36.1", workers: [] },
    ];
    const [all, lacking] = [await make({ "tls-bootstrap:pools": pools }), await make()];
    const kubelets = [...readAirGap(all).files].filter((path) => path.endsWith("/kubelet"));
    // No worker uses the version for all.
    expect(kubelets).toEqual(Object.keys(versions).map((v) => `kubernetes/v${v}/bin/linux/amd64/kubelet`));

    const problems = (airGap: string) =>
      checkBootstrap({ kubernetesVersion: VERSION, airGap, ssh: { privateKey: SSH_KEY }, pools }).checks;
    expect(problems(all)).toEqual([]);
    expect(problems(lacking).map(([at, problem]) => [at, /v1\.[\d.]+/.exec(problem!)![0]])).toEqual(
      Object.keys(versions).map((version) => ["airGap", `v${version}`]),
    );
  });

  it("is refused when it is another file, or missing", async () => {
    const text = join(folder, "text");
    await writeFile(text, "text");
    expect(airGapProblem(text, downloads())).toMatch(/^is not an air-gap archive: .*; make it/);
    expect(airGapProblem(join(folder, "missing"), downloads())).toMatch(/^does not exist; make it/);
  });

  it("is reported once for all pools, or for the pool that names it", async () => {
    const [own, missing] = [await make(), join(folder, "missing")];
    const given = [{ airGap: own }, {}, {}, { airGap: missing }].map((pool, i) => ({
      ...pool,
      name: `p${i}`,
      workers: [],
    }));
    const settings = { kubernetesVersion: VERSION, airGap: missing, ssh: { privateKey: SSH_KEY }, pools: given };
    const where = checkBootstrap(settings).checks.map(([at]) => at);
    expect(where).toEqual(["airGap", "pools[3].airGap"]);
  });

  it.each([
    ["a missing file", () => site.delete(`/k8s/v${VERSION}/bin/linux/amd64/kubectl`), /kubectl: 404/],
    [
      "a file with a wrong checksum",
      () => site.set(`/k8s/v${VERSION}/bin/linux/amd64/kubelet`, "spoilt"),
      new RegExp(`kubelet has SHA-256 ${sha256("spoilt")}, but ${sha256("kubelet")} is expected`),
    ],
    [
      "a file without a checksum",
      () => site.set(`/k8s/v${VERSION}/bin/linux/amd64/kubelet.sha256`, `${sha256("kubelet")}  kubeadm\n`),
      /kubelet\.sha256 holds no SHA-256 of /,
    ],
  ])("is not made with %s", async (_, spoil, problem) => {
    spoil();
    await expect(make()).rejects.toThrow(problem);
    expect(airGapProblem(join(folder, `${files}.tar`), downloads())).toMatch(/^does not exist/);
  });

  it("is copied to its pool's workers before the host step, which installs from it", async () => {
    const file = await make();
    const worker = (name: string, address: string, hostKey: string) => ({ name, address, hostKey });
    const program = new Program();
    await program.run(
      (opts) =>
        new TlsBootstrap(
          "t",
          {
            cluster: { server: "https://10.0.0.1:6443", ca: CA },
            kubernetesVersion: VERSION,
            ssh: { user: "debian", privateKey: SSH_KEY },
            pools: [
              { name: "cut-off", airGap: file, workers: [worker("one", "10.0.1.11", ED25519)] },
              { name: "other", workers: [worker("two", "10.0.1.12", ED25519_OTHER)] },
            ],
          },
          opts,
        ),
    );
    const copies = program.resources.filter(({ type }) => type.endsWith("CopyToRemote"));
    expect(copies.map(({ name, inputs }) => [name, inputs.remotePath])).toEqual([
      ["t-one-air-gap", ".tls-bootstrap-air-gap.tar"],
    ]);
    expect(await copies[0].inputs.source.path).toBe(file);
    const command = "command:remote:Command";
    expect(program.options[`${command} t-one-host`].dependsOn).toHaveLength(1);
    const conf = (name: string) => program.find(command, name).inputs.stdin as string;
    expect(conf("t-one-host")).toContain("DOWNLOAD_URL='/var/lib/tls-bootstrap/air-gap/kubernetes'\n");
    expect(conf("t-one-host")).toContain(`AIR_GAP='${readAirGap(file).digest}'\nAIR_GAP_USER='debian'\n`);
    expect(conf("t-two-host")).toContain("DOWNLOAD_URL='https://dl.k8s.io'\n");
    expect(conf("t-two-host")).not.toMatch(/^AIR_GAP/m);
  });
});
