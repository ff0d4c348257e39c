import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { COMPONENTS, flagsOf } from "../../../examples/platform/componentFlags";
import { renderComponentUnit } from "../../../examples/platform/componentUnit";
import { parsePlatformSettings } from "../../../examples/platform/platformSettings";
import { REPOSITORY } from "../../repository";
import { isSecret } from "../../protocolValues";
import { Program } from "../components/program";
import { COMMAND } from "../components/oneWorker";
import { ED25519, SSH_KEY } from "../fixtures";

/** The platform stack: its settings, its texts, and what it declares. */
const folder = mkdtempSync(join(tmpdir(), "platform-"));
const checksums = join(folder, "SHA256SUMS");
const FILES = [
  ...["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map((name) => `v1.37.2/bin/linux/arm64/${name}`),
  "v3.6.5/etcd-v3.6.5-linux-arm64.tar.gz",
];
writeFileSync(checksums, FILES.map((path) => `${"a".repeat(64)}  ${path}\n`).join(""));
afterAll(() => rmSync(folder, { recursive: true }));

const controller = (i: number) => ({ name: `controller-${i}`, address: `10.0.0.1${i}`, hostKey: ED25519 });

const GOOD = {
  kubernetesVersion: "1.37.2",
  etcdVersion: "3.6.5",
  checksums,
  downloadUrl: "https://dl.k8s.io",
  etcdDownloadUrl: "https://example.org/etcd",
  ssh: { privateKey: SSH_KEY },
  controllers: [controller(1)],
  serviceNetwork: "10.96.0.0/16",
  flags: {},
};

/** The config as Pulumi stores it. */
const stored = (settings: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );

const settingsWith = (change: object) => parsePlatformSettings(stored({ ...GOOD, ...change }));

describe("settings", () => {
  it.each<[string, object]>([
    ["platform:kubernetesVersion: ", { kubernetesVersion: "1.20.1" }],
    ["platform:controllers: must be one or three", { controllers: [controller(1), controller(2)] }],
    ["platform:endpoint: is required with three controllers", { controllers: [1, 2, 3].map(controller) }],
    [
      "platform:controllers: two have the same name",
      { controllers: [1, 2, 2].map(controller), endpoint: "https://api:6443" },
    ],
    [
      "platform:controllers[0].address: 'host' is not an IPv4 address",
      { controllers: [{ ...controller(1), address: "host" }] },
    ],
    ["lacks v3.6.6/etcd-v3.6.6-linux-arm64.tar.gz", { etcdVersion: "3.6.6" }],
    ["platform:checksums: '/nowhere' does not exist", { checksums: "/nowhere" }],
    ["platform:serviceNetwork: '10.96.0.1/16' is not an IPv4 network", { serviceNetwork: "10.96.0.1/16" }],
    [
      "platform:flags.kube-apiserver.--v: is not a flag's name without --",
      { flags: { "kube-apiserver": { "--v": "2" } } },
    ],
    ["platform:flags", { flags: { kubelet: { v: "2" } } }],
    ["platform:controler: is not a setting", { controler: [] }],
  ])("are refused: %s", (problem, change) => {
    expect(() => settingsWith(change)).toThrow(problem);
  });

  it("use the address of one controller, and what the config says of three", () => {
    expect(settingsWith({}).endpoint).toBe("https://10.0.0.11:6443");
    const three = { controllers: [1, 2, 3].map(controller), endpoint: "https://api.example.com" };
    expect(settingsWith(three).endpoint).toBe("https://api.example.com");
  });
});

describe("flags", () => {
  const readme = readFileSync(join(REPOSITORY, "examples/platform/README.md"), "utf8");

  it.each(COMPONENTS)("of %s are all explained in the README, and no others", (component) => {
    const [section] = readme.split(`\n### ${component}\n`)[1].split(/\n##+ /);
    const explained = [...section.matchAll(/^\| (`--[^|]*)\|/gm)].flatMap(([, cell]) =>
      [...cell.matchAll(/`--([a-z0-9-]+)`/g)].map(([, name]) => name),
    );
    const settings = settingsWith({ podNetwork: "10.244.0.0/16" });
    expect(explained.sort()).toEqual(Object.keys(flagsOf(component, settings, controller(1))).sort());
  });

  it("of the settings win", () => {
    const settings = settingsWith({ flags: { "kube-scheduler": { "leader-elect": "false", v: "2" } } });
    const flags = flagsOf("kube-scheduler", settings, controller(1));
    expect(flags).toMatchObject({ "leader-elect": "false", v: "2", "bind-address": "127.0.0.1" });
  });

  it("of etcd and API servers name all members", () => {
    const settings = settingsWith({ controllers: [1, 2, 3].map(controller), endpoint: "https://api:6443" });
    expect(flagsOf("etcd", settings, controller(2))).toMatchObject({
      name: "controller-2",
      "listen-peer-urls": "https://10.0.0.12:2380",
      "initial-cluster":
        "controller-1=https://10.0.0.11:2380,controller-2=https://10.0.0.12:2380,controller-3=https://10.0.0.13:2380",
    });
    expect(flagsOf("kube-apiserver", settings, controller(2))).toMatchObject({
      "advertise-address": "10.0.0.12",
      "etcd-servers": "https://10.0.0.11:2379,https://10.0.0.12:2379,https://10.0.0.13:2379",
    });
  });
});

it("renders a unit that loads the component's files and runs one version, with systemd's own characters quoted", () => {
  const unit = renderComponentUnit({
    component: "kube-scheduler",
    kubernetesVersion: "1.37.2",
    etcdVersion: "3.6.5",
    flags: { kubeconfig: "/run/credentials/kube-scheduler.service/kubeconfig", "feature-gates": 'A="$x" 50%' },
    credentials: ["kubeconfig"],
  });
  expect(unit).toContain(`
ExecStart=/opt/kubernetes/v1.37.2/bin/kube-scheduler \\
  --kubeconfig=/run/credentials/kube-scheduler.service/kubeconfig \\
  "--feature-gates=A=\\"$$x\\" 50%%"
LoadCredential=kubeconfig:/etc/kubernetes/kube-scheduler/kubeconfig
Restart=always
`);
});

describe("the program", () => {
  const program = new Program({
    "tls:index/privateKey:PrivateKey": () => ({ privateKeyPem: "PRIVATE KEY", publicKeyPem: "PUBLIC KEY" }),
    "tls:index/certRequest:CertRequest": () => ({ certRequestPem: "REQUEST" }),
    "command:remote:Command": () => ({ stdout: "" }),
  });
  const command = (name: string) => program.find(COMMAND, name).inputs;

  beforeAll(async () => {
    const settings = { ...GOOD, controllers: [1, 2, 3].map(controller), endpoint: "https://api.example.com:6443" };
    const config = Object.entries(stored(settings)).map(([key, value]) => [`platform:${key}`, value]);
    await program.run(() => {
      pulumi.runtime.setAllConfig(Object.fromEntries(config));
      return jest.requireActual<object>("../../../examples/platform");
    });
  });

  it("sends keys as secrets and units as text, each in a command of its own", () => {
    for (const component of COMPONENTS) {
      expect(isSecret(command(`controller-1-${component}-credentials`).stdin)).toBe(true);
      expect(command(`controller-1-${component}`).stdin).toMatch(/^file 0644 \/etc\/systemd\/system\//);
    }
  });

  it("waits for etcd when all members have started", () => {
    const created = [1, 2, 3].map((i) => command(`controller-${i}-etcd`).create.split("run.sh ")[1]);
    expect(created).toEqual(["component start etcd", "component start etcd", "component apply etcd"]);
    expect(command("controller-1-etcd").update).toContain("component apply etcd");
  });

  it("names the endpoint, all controllers and the Service in the API server's certificate", () => {
    expect(program.find("tls:index/certRequest:CertRequest", "pki-apiserver-request").inputs).toMatchObject({
      dnsNames: expect.arrayContaining(["api.example.com", "controller-3", "kubernetes.default.svc"]),
      ipAddresses: ["10.0.0.11", "10.0.0.12", "10.0.0.13", "10.96.0.1", "127.0.0.1"],
    });
  });
});
