import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { ScaleGroup, type ScaleGroupSpec } from "../../../../components";
import { configHashOf } from "../../../../components/worker/configHash";
import { withoutComments } from "../../../../components/worker/hostScript";
import { userDataProblem } from "../../../../components/worker/userData/userData";
import { COMMAND, declareTlsBootstrap, ONE_WORKER } from "../oneWorker";
import { Program, valueOf } from "../program";
import { REPOSITORY } from "../../../repository";

// Some tests declare a whole stack three times.
jest.setTimeout(90_000);

/** The user data of a scale group, decoded as a machine decodes it. */
const GROUP: ScaleGroupSpec = { name: "burst", namePrefix: "burst-", userData: {} };
const SCRIPTS = join(REPOSITORY, "components/worker/scripts");
const KUBELET = { maxPods: 42 };

interface Written {
  readonly mode: string;
  readonly text: string;
}

type Declared = Parameters<typeof declareTlsBootstrap>[0];

async function declare(group: Partial<ScaleGroupSpec> = {}, changes: Declared = {}) {
  const { program, result } = await declareTlsBootstrap({ scaleGroups: [{ ...GROUP, ...group }], ...changes });
  const { burst } = await valueOf(result.userData);
  const { burst: info } = await valueOf(result.scaleGroups);
  return { program, result, userData: burst, bytes: info.userDataBytes, configHash: info.configHash };
}

/** What cloud-init writes, by path. */
function ofCloudInit(userData: string): Record<string, Written> {
  expect(userData).toMatch(/^#cloud-config\n/);
  const { write_files } = parse(userData) as { write_files: Record<string, string>[] };
  return Object.fromEntries(
    write_files.map(({ path, permissions, encoding, content }) => [
      path,
      {
        mode: permissions,
        text: encoding === "gz+b64" ? gunzipSync(Buffer.from(content, "base64")).toString() : content,
      },
    ]),
  );
}

/** What Ignition writes, by path. */
function ofIgnition(userData: string): Record<string, Written> {
  const { storage, systemd } = JSON.parse(userData) as { storage: { files: any[] }; systemd: { units: any[] } };
  const units = systemd.units.map(({ name, contents }) => [
    `/etc/systemd/system/${name}`,
    { mode: "0644", text: contents as string },
  ]);
  const files = storage.files.map(({ path, mode, contents: { compression, source } }) => {
    const content = Buffer.from((source as string).replace("data:;base64,", ""), "base64");
    const text = (compression === "gzip" ? gunzipSync(content) : content).toString();
    return [path as string, { mode: `0${(mode as number).toString(8)}`, text }];
  });
  return Object.fromEntries([...files, ...units]) as Record<string, Written>;
}

/** The files in the input of step kubelet. */
const bundled = (input: string) =>
  [...input.matchAll(/^file (\d+) (\S+).*<<'END-OF-FILE'\n([\s\S]*?)^END-OF-FILE$/gm)].map(([, mode, path, text]) => ({
    mode,
    path,
    text,
  }));

const BOOT = "/etc/tls-bootstrap/boot";

describe("the user data", () => {
  it("has the files of a worker with the same settings, and so the same config hash", async () => {
    const servingCertificates = { mode: "approver" } as const;
    const taints = [{ key: "burst", value: "yes", effect: "NoSchedule" as const }];
    const { program, userData, configHash } = await declare(
      { labels: { "example.com/disk": "ssd" }, taints, addresses: ["10.0.0.0/8"] },
      {
        kubelet: KUBELET,
        servingCertificates,
      },
    );
    const files = ofCloudInit(userData);
    const worker = bundled(program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin);
    const machine = bundled(files[`${BOOT}/kubelet`].text);
    expect(machine.map(({ path }) => path)).toEqual(worker.map(({ path }) => path));
    expect([configHashOf(machine), configHash]).toEqual([configHashOf(worker), configHashOf(worker)]);
    const [unit] = machine.filter(({ path }) => path.endsWith("kubelet.service"));
    expect(unit.text).toContain("  --node-labels=example.com/disk=ssd,tls-bootstrap/scale-group=burst\n");
    const [config] = machine.filter(({ path }) => path.endsWith("config.yaml"));
    expect(parse(config.text)).toMatchObject({ maxPods: 42, registerWithTaints: taints });
    // host.conf differs in what is of the host only.
    const lines = (text: string) => text.split("\n").filter((line) => /^\w+='/.test(line));
    const ofWorker = lines(
      /host\.conf <<'END-OF-FILE'\n([\s\S]*?)END-OF-FILE/.exec(
        program.find(COMMAND, "t-worker-1-host").inputs.stdin,
      )![1],
    );
    const differing = lines(files[`${BOOT}/host.conf`].text).filter((line) => !ofWorker.includes(line));
    expect(differing.map((line) => line.split("=")[0])).toEqual([
      "OWNER",
      "NODE_NAME",
      "NODE_ADDRESS",
      "SERVING_NAMES",
      "REPLACE_COMMAND",
    ]);
  });

  it("has the token in one file for root only, and is secret", async () => {
    const { result, userData } = await declare();
    const files = Object.entries(ofCloudInit(userData));
    const withToken = files.filter(([, { text }]) => text.includes("abc123.s3cr3ts3cr3ts3cr"));
    expect(withToken.map(([path, { mode }]) => [path, mode])).toEqual([[`${BOOT}/join`, "0600"]]);
    expect(await (result.userData as any).isSecret).toBe(true);
    expect(await (result.scaleGroups as any).isSecret).toBe(false);
  });

  it("installs the scripts that a worker has, and boot.sh", async () => {
    const { userData, program } = await declare();
    const root = mkdtempSync(join(tmpdir(), "unpack-"));
    try {
      const files = ofCloudInit(userData);
      const bundle = files["/opt/tls-bootstrap/bundle"].text;
      const unit = files["/etc/systemd/system/tls-bootstrap-boot.service"].text;
      expect(unit).toContain(`unpack.sh ${createHash("sha256").update(bundle).digest("hex")}\n`);
      expect(unit).toContain('boot.sh run "{hostname}" burst-\n');
      const install = `${root}/install`;
      const shell = `mkdir ${install}; file() { cat >${install}/\${2##*/}; }\n${bundle}`;
      expect(spawnSync("sh", ["-eu"], { input: shell, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
      const [, packed] = /^packed <<'END-OF-FILE'\n(.*)$/m.exec(
        program.find(COMMAND, "t-worker-1-host").inputs.stdin as string,
      )!;
      const ofWorker = gunzipSync(Buffer.from(packed, "base64")).toString();
      const names = [...ofWorker.matchAll(/^==> \d+ (\S+)$/gm)].map(([, name]) => name);
      expect(readdirSync(install).sort()).toEqual([...names, "boot.sh"].sort());
      for (const name of readdirSync(install))
        expect(readFileSync(join(install, name), "utf8")).toBe(
          withoutComments(readFileSync(join(SCRIPTS, name), "utf8")),
        );
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("is the same in both formats, and at each rendering", async () => {
    const group = { nodeName: "burst-{hostname}", taints: [{ key: "a", effect: "NoExecute" as const }] };
    const one = await declare(group);
    const ignition = await declare({ ...group, userData: { format: "ignition" } });
    expect(ofIgnition(ignition.userData)).toEqual(ofCloudInit(one.userData));
    expect(JSON.parse(ignition.userData).ignition.version).toBe("3.3.0");
    expect((await declare(group)).userData).toBe(one.userData);
  });

  it("has the size that the preview states", async () => {
    for (const format of ["cloud-init", "ignition"] as const) {
      const { userData, bytes } = await declare({ userData: { format } });
      expect(bytes).toBe(Buffer.byteLength(userData));
      expect(bytes).toBeLessThan(49_149); // of OpenStack
    }
  });

  it("fits EC2 when the scripts come from a URL", async () => {
    const bundleUrl = "https://bucket.example.com/bundle";
    for (const format of ["cloud-init", "ignition"] as const) {
      const { userData, bytes, result } = await declare({ userData: { format, limit: "ec2", bundleUrl } });
      expect(bytes).toBeLessThan(16_384);
      const files = format === "ignition" ? ofIgnition(userData) : ofCloudInit(userData);
      expect(files["/opt/tls-bootstrap/bundle"]).toBeUndefined();
      const bundle = await valueOf(result.scaleGroupBundle);
      const sha256 = createHash("sha256").update(bundle!).digest("hex");
      expect(files["/etc/systemd/system/tls-bootstrap-boot.service"].text).toContain(
        `unpack.sh ${sha256} ${bundleUrl}\n`,
      );
    }
  });

  it("has kube-proxy's credential when kube-proxy is a unit", async () => {
    const { userData } = await declare({}, { kubeProxy: { mode: "unit", clusterCidr: "10.128.0.0/16" } });
    const files = ofCloudInit(userData);
    expect(files[`${BOOT}/kube-proxy`]).toMatchObject({ mode: "0600" });
    expect(files[`${BOOT}/kube-proxy`].text).toContain("the proxy's token");
  });

  it("costs the same resources whatever the number of machines, and no command", async () => {
    const { program } = await declare();
    const ofGroup = program.listing().filter((line) => line.includes("burst"));
    expect(ofGroup).toEqual([
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-burst-ready",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-burst-serving",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-burst-ready",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-burst-serving",
      "kubernetes:core/v1:Secret t-burst-token",
      "random:index/randomPassword:RandomPassword t-burst-token-secret",
      "random:index/randomString:RandomString t-burst-token-id",
      "tls-bootstrap:index:BootstrapToken t-burst-token",
      "tls-bootstrap:index:ScaleGroup t-burst",
      "tls:index/privateKey:PrivateKey t-burst-token-clock-key",
      "tls:index/selfSignedCert:SelfSignedCert t-burst-token-clock",
    ]);
  });
});

it("a group without user data has a token only", async () => {
  const { result } = await declareTlsBootstrap({ scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
  expect(await valueOf(result.userData)).toEqual({});
});

it("a ScaleGroup of a program of one's own needs the environment for user data", async () => {
  const { cluster, kubernetesVersion, ssh } = ONE_WORKER;
  const declareAlone = async (environment?: { kubernetesVersion: string; ssh: typeof ssh }) => {
    const program = new Program();
    return program.run((opts) => new ScaleGroup("s", { ...GROUP, cluster, environment }, opts));
  };
  const { userData } = await declareAlone({ kubernetesVersion, ssh });
  expect(ofCloudInit(await valueOf(userData!))).toHaveProperty([`${BOOT}/join`]);
  await expect(declareAlone()).rejects.toThrow("environment: is required with 'userData'");
});

describe("refuses", () => {
  it.each<[string, Partial<ScaleGroupSpec>, Declared, string]>([
    ["settings without user data", { userData: undefined, taints: [] }, {}, "scaleGroups[0].taints: has no effect"],
    [
      "a label that a kubelet may not set",
      { labels: { "node-role.kubernetes.io/burst": "" } },
      {},
      "is a label that a kubelet may not set on its own Node",
    ],
    [
      "a name outside of the prefix",
      { nodeName: "web-{hostname}" },
      {},
      "'web-{hostname}' does not begin with namePrefix",
    ],
    ["a name for all machines", { nodeName: "burst-1" }, {}, "is not a name with {hostname} or {instance-id} in it"],
    [
      "an instance id that Ignition does not know",
      { nodeName: "burst-{instance-id}", userData: { format: "ignition" } },
      {},
      "cannot have {instance-id}",
    ],
    [
      "a limit that is none",
      { userData: { limit: "s3" } },
      {},
      "userData.limit: must be a number of bytes, or one of ec2,",
    ],
    ["an unknown kubelet field", { kubelet: { maxPod: 1 } as never }, {}, "scaleGroups[0].kubelet.maxPod: "],
    ["a flag of the module", { kubeletFlags: { "node-ip": "1" } }, {}, "scaleGroups[0].kubeletFlags"],
    [
      "an approver that does not know the addresses",
      {},
      { servingCertificates: { mode: "approver" } },
      "scaleGroups[0].addresses: is required with servingCertificates.mode 'approver'",
    ],
    [
      "taints in two places",
      { taints: [{ key: "a", effect: "NoExecute" }], kubelet: { registerWithTaints: [] } },
      {},
      "scaleGroups[0].taints: cannot be set together with kubelet.registerWithTaints",
    ],
    [
      "a version newer than the API servers",
      { kubernetesVersion: "1.37.1" },
      { cluster: { ...ONE_WORKER.cluster, kubernetesVersion: "1.36.0" } },
      "scaleGroups[0].kubernetesVersion: '1.37.1' is newer",
    ],
    [
      "http without checksums",
      { runtime: { type: "tarball", downloadUrl: "http://mirror", containerd: { version: "2.0.0" } } },
      {},
      "scaleGroups[0].runtime.downloadUrl",
    ],
  ])("%s", async (_, group, changes, problem) => {
    await expect(declare(group, changes)).rejects.toThrow(problem);
  });

  it.each([
    [16_384, { limit: "ec2" } as const, undefined],
    [
      16_385,
      { limit: "ec2" } as const,
      "has 16385 bytes, more than the 16384 of userData.limit: set userData.bundleUrl",
    ],
    [1001, { limit: 1000, bundleUrl: "https://b" }, "more than the 1000 of userData.limit: use fewer settings"],
  ])("user data of %i bytes with %j", (bytes, userData, problem) => {
    const found = userDataProblem(bytes, { format: "cloud-init", ...userData });
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });
});
