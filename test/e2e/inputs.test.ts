/** @independent */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { chmod, copyFile, mkdtemp, rm, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { createAuthority } from "../../lab/control-plane/certificates";
import { changes, TestLab, VERSION } from "./testLab";
import { REPOSITORY } from "../repository";

/** The sources of the inputs, and the errors for wrong ones. One worker is enough. */
const lab = new TestLab();
const PLATFORM = resolve(REPOSITORY, "examples", "platform-outputs");
const CONSUMER = resolve(REPOSITORY, "examples", "consumer");

/** A settings file with one worker and a change. */
const settingsFile = (name: string, change: (settings: Record<string, any>) => void = () => undefined) =>
  lab.configFile(name, (settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(1);
    change(settings);
    return settings;
  });

/**
 * A settings file whose worker is in a workers file.
 * @returns both files; the path of the workers file begins at the folder of Pulumi.yaml
 */
async function settingsWithWorkersFile(name: string, change: (settings: Record<string, any>) => void) {
  const workersFile = relative(REPOSITORY, join((await lab.facts()).stateDir, `${name}.yaml`));
  const file = await settingsFile(name, (settings) => {
    change(settings);
    const [{ workers, ...pool }] = settings["tls-bootstrap:pools"];
    writeFileSync(resolve(REPOSITORY, workersFile), stringify(workers, { lineWidth: 0 }));
    settings["tls-bootstrap:pools"] = [{ ...pool, workersFile }];
  });
  return { file, workersFile };
}

const at = (file: string) => ["--config-file", file];
const noStackTrace = (text: string) => expect(text).not.toMatch(/^\s+at .*\(?.*:\d+:\d+\)?$/m);

describe("bad settings", () => {
  it("are all reported in one preview, at their config keys, without a stack trace", async () => {
    const file = await settingsFile("bad", (settings) => {
      delete settings["tls-bootstrap:cluster"];
      settings["tls-bootstrap:tokenTtl"] = "never";
      settings["tls-bootstrap:pools"][0].workers[0].hostKey = "ssh-rsa AAAA";
      settings["tls-bootstrap:pools"][0].workers[0].nmae = "x";
    });
    const errors = await lab.fails("preview", ...at(file));
    expect(errors).toContain("The configuration of this stack cannot be used: 4 problems");
    expect(errors).toContain("tls-bootstrap:cluster: is required (or 'platform')");
    expect(errors).toContain("tls-bootstrap:tokenTtl: 'never' is not a duration");
    expect(errors).toContain("tls-bootstrap:pools[0].workers[0].hostKey: 'ssh-rsa AAAA' is an RSA key");
    expect(errors).toContain("tls-bootstrap:pools[0].workers[0].nmae: is not a setting");
    noStackTrace(errors);
  });

  it("are reported with the line of a workers file", async () => {
    const { file, workersFile } = await settingsWithWorkersFile("bad-file", (settings) => {
      settings["tls-bootstrap:tokenTtl"] = "never";
      settings["tls-bootstrap:pools"][0].workers[0].hostKey = "ssh-rsa AAAA";
    });
    const errors = await lab.fails("preview", ...at(file));
    expect(errors).toContain("The configuration of this stack cannot be used: 2 problems");
    expect(errors).toContain("tls-bootstrap:tokenTtl: 'never' is not a duration");
    expect(errors).toContain(`${workersFile}:3: [0].hostKey: 'ssh-rsa AAAA' is an RSA key`);
    noStackTrace(errors);
  });

  it("that Linux may refuse for their size are refused, with a way out", async () => {
    const large = (bytes: number) =>
      settingsFile("large", (settings) => {
        settings["other:text"] = "x".repeat(bytes);
      });
    const errors = await lab.fails("preview", ...at(await large(118_000)));
    expect(errors).toMatch(/tls-bootstrap:pools: the stack's config takes 12\d{4} bytes/);
    expect(errors).toContain("Move workers into a file: pools[].workersFile");
    noStackTrace(errors);
    // docs/troubleshooting.md explains this one.
    expect(await lab.fails("preview", ...at(await large(131_072)))).toContain("argument list too long");
  });

  it("are named when they are missing altogether", async () => {
    const file = await lab.configFile("empty", () => ({}));
    const errors = await lab.fails("preview", ...at(file));
    expect(errors).toMatch(/missing configuration value/);
    expect(errors).toContain("kubernetesVersion");
    noStackTrace(errors);
  });
});

it("an API server that cannot be reached is named, and no worker changes", async () => {
  const server = (await lab.facts()).apiServer;
  await lab.out("stop", "kube-apiserver");
  try {
    const errors = await lab.fails("deploy", ...at(await settingsFile("unreachable")));
    expect(errors).toContain(new URL(server).host);
    noStackTrace(errors);
    const places = "/etc/kubernetes /etc/systemd/system/kubelet.service /opt/kubernetes /var/lib/kubelet";
    expect(await lab.shell("worker-1", `ls -d ${places} 2>/dev/null || true`)).toBe("");
  } finally {
    await lab.out("start", "kube-apiserver");
    await lab.run("destroy", ...at(await settingsFile("unreachable")));
  }
});

it("an API server with another CA than the configured one gets no token", async () => {
  const { certificate } = await createAuthority("another-ca", new Date());
  const kubeconfig = await readFile((await lab.facts()).kubeconfig, "utf8");
  // Pulumi trusts both, because a preview refuses two CAs that have nothing in common.
  const both = (_: string, data: string) =>
    Buffer.from(`${Buffer.from(data, "base64").toString()}${certificate}`).toString("base64");
  const file = await settingsFile("ca", (settings) => {
    settings["tls-bootstrap:cluster"].ca = certificate;
  });
  const trusting = kubeconfig.replace(/(?<=certificate-authority-data: )(\S+)/, both);
  await lab.setSecret(file, "tls-bootstrap:cluster.kubeconfig", trusting);
  try {
    const errors = await lab.fails("deploy", ...at(file));
    expect(errors).toContain("does not prove itself with the given CA; the token was not sent");
    expect(errors).toContain("set cluster.ca to the CA");
    expect(await lab.shell("worker-1", "ls /etc/kubernetes; systemctl is-active kubelet || true")).toBe(
      "pki\ninactive\n",
    );
  } finally {
    await lab.out("destroy", ...at(file));
  }
});

describe("a worker that cannot be prepared", () => {
  it("gets one report of all its problems, and does not change", async () => {
    const file = await settingsFile("preflight", (settings) => {
      settings["tls-bootstrap:pools"][0].workers[0].nodeAddress = "192.0.2.1";
    });
    await lab.exec("worker-1", "systemctl", "stop", "containerd");
    await lab.shell("worker-1", "mkdir -p /etc/kubernetes && touch /etc/kubernetes/kubelet.conf");
    try {
      const errors = await lab.fails("deploy", ...at(file));
      expect(errors).toContain("this host cannot become a worker yet");
      expect(errors).toContain("address 192.0.2.1 is on no interface");
      expect(errors).toContain("no containerd answers on /run/containerd/containerd.sock");
      expect(errors).toContain("/etc/kubernetes/kubelet.conf exists");
      expect(
        await lab.shell("worker-1", "ls /etc/sysctl.d/90-tls-bootstrap.conf /opt/kubernetes 2>/dev/null || true"),
      ).toBe("");
    } finally {
      await lab.shell("worker-1", "rm -rf /etc/kubernetes; systemctl start containerd");
      await lab.out("destroy", ...at(file));
    }
  });

  it("installs nothing from a broken mirror", async () => {
    const file = await settingsFile("mirror", (settings) => {
      settings["tls-bootstrap:downloadUrl"] += "/nowhere";
    });
    try {
      const errors = await lab.fails("deploy", ...at(file));
      expect(errors).toMatch(new RegExp(`cannot download http.*/nowhere/v${VERSION}/bin/linux/\\w+/kubelet;`));
      expect(await lab.shell("worker-1", "find /opt/kubernetes -type f")).toBe("");
    } finally {
      await lab.out("destroy", ...at(file));
    }
  });
});

describe("a platform stack", () => {
  let platform: string;
  let nodes: string;
  let consumer: string;

  const usePlatform = (settings: Record<string, any>) => {
    delete settings["tls-bootstrap:cluster"];
    settings["tls-bootstrap:platform"] = "organization/platform-outputs/lab";
  };

  beforeAll(async () => {
    platform = await lab.configFile("platform", ({ "tls-bootstrap:cluster": cluster }) => ({
      "platform-outputs:server": cluster.server,
      "platform-outputs:ca": cluster.ca,
      "platform-outputs:kubeconfig": cluster.kubeconfig,
      "platform-outputs:kubernetesVersion": VERSION,
    }));
    nodes = await settingsFile("nodes", usePlatform);
    consumer = await lab.configFile("consumer", () => ({ "consumer:nodes": "organization/tls-bootstrap/lab" }));
  });

  afterAll(async () => {
    await lab.run("destroy", "--program", CONSUMER, ...at(consumer));
    await lab.run("destroy", ...at(nodes));
    await lab.run("destroy", "--program", PLATFORM, ...at(platform));
  });

  it("is named when it does not exist", async () => {
    const errors = await lab.fails("preview", ...at(nodes));
    expect(errors).toContain("organization/platform-outputs/lab");
    noStackTrace(errors);
  });

  it("gives the program its cluster, and a consumer stack reads the outputs", async () => {
    await lab.operate("deploy", "--program", PLATFORM, ...at(platform));
    await lab.operate("deploy", ...at(nodes));
    expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([["worker-1", true]]);
    expect(changes(await lab.operate("preview", ...at(nodes)))).toEqual([]);
    const { kubeletServingCa } = await lab.json<any>(
      "output",
      "--show-secrets",
      "--program",
      PLATFORM,
      ...at(platform),
    );
    expect((await lab.json<any>("output", ...at(nodes))).servingCa).toBe(kubeletServingCa.certificate);
    const { file } = await settingsWithWorkersFile("nodes-file", usePlatform);
    expect(changes(await lab.operate("preview", ...at(file)))).toEqual([]);

    await lab.operate("deploy", "--program", CONSUMER, ...at(consumer));
    const { apiServer } = await lab.facts();
    const read = await lab.json<any>("output", "--program", CONSUMER, ...at(consumer));
    expect(read.apiServer).toBe(apiServer);
    expect(read.nodeNames).toEqual(["worker-1"]);
    expect(read.joinMilliseconds["worker-1"]).toBeGreaterThan(0);
    expect(read.bootstrapKubeconfigs).toBe("[secret]");
  });

  it("is refused when it lacks outputs, with a list of them", async () => {
    const wrong = await settingsFile("lacking", (settings) => {
      delete settings["tls-bootstrap:cluster"];
      settings["tls-bootstrap:platform"] = "organization/consumer/lab";
    });
    const errors = await lab.fails("preview", ...at(wrong));
    expect(errors).toContain(
      "Platform stack 'organization/consumer/lab' does not export what this module reads (examples/platform-outputs/README.md): 3 problems",
    );
    for (const name of ["server", "ca", "kubeconfig"])
      expect(errors).toContain(`output ${name}: is missing: export the`);
    noStackTrace(errors);
  });
});

it("the lab tells a user other than root that it needs root", async () => {
  // A copy, because other users may not read the clone.
  const folder = await mkdtemp(join(tmpdir(), "lab-"));
  try {
    await chmod(folder, 0o755);
    await copyFile(resolve(REPOSITORY, "lab", "run"), join(folder, "run"));
    await chmod(join(folder, "run"), 0o755);
    const argv = ["--reuid=65534", "--clear-groups", join(folder, "run"), "status"];
    const run = promisify(execFile)("setpriv", argv, { cwd: folder });
    const error = (await run.catch((failure: unknown) => failure)) as { code: number; stderr: string };
    expect(error.stderr).toContain("the lab needs root");
    expect(error.code).toBe(1);
    noStackTrace(error.stderr);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("the lab shows the log of a component", async () => {
  expect(await lab.out("logs", "kube-apiserver", "-n", "10000")).toContain("Serving securely on");
});
