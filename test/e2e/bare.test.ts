import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { RELEASES } from "../../components/runtime/releases";
import { API_SERVER_SERVICE } from "../../lab/network/addresses";
import { ARCH, BRING_UP_MS, bringUpBareWorkers, inventoryOf, PACKAGE, removeBareWorkers, TARBALL } from "./bareWorkers";
import { startHttpsSite } from "./httpsSite";
import { changes, eventually, TestLab, VERSION } from "./testLab";

/** Bare workers become nodes, change, and are bare again. Each test builds on the tests before it. */
const lab = new TestLab();
const BOTH = [PACKAGE, TARBALL];

/** The requests to the server below, which is a proxy, and an empty mirror of registries. */
const asked: string[] = [];
const server = createServer((incoming, outgoing) => {
  asked.push(`${incoming.method} ${incoming.url}`);
  if (!incoming.url!.startsWith("http://")) {
    outgoing.writeHead(404).end();
    return;
  }
  const onward = request(incoming.url!, { method: incoming.method, headers: incoming.headers }, (answer) => {
    outgoing.writeHead(answer.statusCode!, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.writeHead(502).end());
  incoming.pipe(onward);
});

/** A file of somebody else's in a folder that this module also uses. */
const THEIRS = "/opt/kubernetes/v0/notes";

const inventory = (worker: string) => inventoryOf(lab, worker);
const before: Record<string, string> = {};

const pids = (unit: string) => Promise.all(BOTH.map((worker) => lab.unitPid(worker, unit)));

/** Changes the runtime settings of both pools. */
const runtimes = (change: (runtime: any, settings: any) => void) =>
  lab.configure((settings) => {
    for (const pool of settings["tls-bootstrap:pools"]) change(pool.runtime, settings);
  });

beforeAll(async () => {
  await bringUpBareWorkers(lab);
  const { hostname } = new URL((await lab.facts()).mirror);
  await new Promise<void>((listening) => server.listen(0, hostname, listening));
  const own = `http://${hostname}:${(server.address() as { port: number }).port}`;
  await runtimes((runtime, settings) => {
    settings["tls-bootstrap:proxy"] = { http: own };
    runtime.containerd.registryMirrors = { "docker.io": [own] };
  });
  // Images have a file system of their own. Somebody has killed dpkg. SELinux's command is there, and writes down what it is asked for.
  await lab.shell(TARBALL, "mkdir /var/lib/containerd && mount -t tmpfs tmpfs /var/lib/containerd");
  await lab.shell(
    TARBALL,
    `mkdir -p ${THEIRS}; mount -t tmpfs tmpfs /usr/local/sbin; cd /usr/local/sbin; printf '#!/bin/sh\necho "$@" >>/run/relabelled\n' >restorecon; chmod +x restorecon`,
  );
  await lab.shell(PACKAGE, "dpkg -s tzdata >/var/lib/dpkg/updates/0001");
  for (const worker of BOTH) before[worker] = await inventory(worker);
}, BRING_UP_MS);

afterAll(async () => {
  await lab.run("kubectl", "delete", "pod", "--all", "--force", "--ignore-not-found");
  await lab.run("destroy");
  server.close();
  await removeBareWorkers(lab);
});

it("a read-only folder is reported before anything is changed", async () => {
  const file = await lab.configFile("read-only", (settings) => {
    delete settings["tls-bootstrap:binDir"];
    settings["tls-bootstrap:pools"].shift();
    return settings;
  });
  const errors = await lab.fails("deploy", "--config-file", file);
  expect(errors).toContain("/usr/local/bin cannot be written: set binDir to a folder that can, such as /opt/bin");
  expect(await lab.shell(TARBALL, "ls /opt/kubernetes /etc/containerd 2>/dev/null || true")).toBe(
    "/opt/kubernetes:\nv0\n",
  );
});

it("both become Ready nodes, with downloads through the proxy only", async () => {
  for (const worker of BOTH) expect(await lab.shell(worker, "command -v containerd runc iptables || true")).toBe("");
  await lab.operate("deploy");
  const { items } = await lab.get<{ items: any[] }>("nodes");
  expect(items.map(({ metadata, status }) => [metadata.name, status.nodeInfo.containerRuntimeVersion])).toEqual([
    [PACKAGE, expect.stringMatching(/^containerd:\/\/1\./)],
    [TARBALL, `containerd://${RELEASES.containerd.version}`],
  ]);
  expect((await lab.status()).nodes?.map(({ ready }) => ready)).toEqual([true, true]);
  const relabelled = await lab.exec(TARBALL, "cat", "/run/relabelled");
  for (const path of [`/opt/kubernetes/v${VERSION}/bin/kubelet`, "/etc/systemd/system/kubelet.service"])
    expect(relabelled).toContain(`-RF ${path}\n`);
  expect(relabelled).toMatch(/^-RF \/opt\/tls-bootstrap\/containerd-/m);
  for (const file of ["/containerd.deb", `/kubelet`, `/runc.${ARCH}`, `-linux-${ARCH}.tar.gz`])
    expect(asked.join("\n")).toContain(`${file}\n`);
});

it("a pod runs on each", async () => {
  for (const worker of BOTH) {
    const container = {
      name: "main",
      image: "lab.local/busybox:1",
      imagePullPolicy: "Never",
      command: ["sleep", "9999"],
    };
    const spec = {
      nodeName: worker,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [container],
    };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: worker }, spec };
    await eventually(() => lab.apply(pod)); // the default service account appears a little later than the cluster
  }
  for (const worker of BOTH)
    await eventually(async () => expect((await lab.get<any>("pod", worker)).status.phase).toBe("Running"));
});

it("an idle preview shows nothing", async () => {
  await lab.out("preview", "--expect-no-changes");
});

it("images are pulled from the mirror first", async () => {
  for (const worker of BOTH)
    await lab.kubectl(
      "run",
      `pull-${worker}`,
      "--image",
      `docker.io/library/${worker}:1`,
      "--overrides",
      JSON.stringify({ spec: { nodeName: worker } }),
    );
  for (const worker of BOTH) {
    const line = new RegExp(`/v2/library/${worker}/manifests/1\\?ns=docker\\.io`);
    await eventually(() =>
      asked.some((url) => line.test(url)) ? Promise.resolve() : Promise.reject(new Error(`not among ${asked.join()}`)),
    );
  }
});

it("a changed mirror restarts nothing, a changed proxy restarts containerd only, and pods keep running", async () => {
  const [containerd, kubelet] = [await pids("containerd"), await pids("kubelet")];
  await runtimes((runtime) => {
    runtime.containerd.registryMirrors["quay.io"] = ["https://mirror.example.com/v2/quay"];
    delete runtime.containerd.registryMirrors["docker.io"];
  });
  const preview = await lab.operate("preview");
  expect(changes(preview)).toEqual(["update tls-bootstrap-worker-5-host", "update tls-bootstrap-worker-6-host"]);
  await lab.operate("deploy");
  for (const worker of BOTH) expect(await lab.shell(worker, "ls /etc/containerd/certs.d")).toBe("quay.io\n");
  expect(await pids("containerd")).toEqual(containerd);

  await runtimes((_, settings) => {
    settings["tls-bootstrap:proxy"].no = ["10.0.0.0/8"];
  });
  await lab.operate("deploy");
  const restarted = await pids("containerd");
  for (const [i, worker] of BOTH.entries()) {
    expect(restarted[i]).not.toBe(containerd[i]);
    expect(await lab.shell(worker, `tr '\\0' '\\n' </proc/${restarted[i]}/environ`)).toContain("NO_PROXY=10.0.0.0/8\n");
    const { status } = await lab.get<any>("pod", worker);
    expect([status.phase, status.containerStatuses[0].restartCount]).toEqual(["Running", 0]);
  }
  expect(await pids("kubelet")).toEqual(kubelet);
});

describe("a host stays as it is when it cannot install", () => {
  const state = (worker: string) =>
    lab.shell(
      worker,
      "ls /opt/tls-bootstrap /opt/kubernetes 2>/dev/null; cat /etc/containerd/config.toml; readlink /opt/bin/* || true",
    );
  let untouched: string[];

  beforeAll(async () => {
    untouched = [...(await Promise.all(BOTH.map(state))), ...(await pids("containerd")), ...(await pids("kubelet"))];
  });

  const refused = async (change: (settings: any) => void): Promise<string> => {
    const file = await lab.configFile("refused", (settings) => {
      change(settings);
      return settings;
    });
    const errors = await lab.fails("deploy", "--config-file", file);
    expect([
      ...(await Promise.all(BOTH.map(state))),
      ...(await pids("containerd")),
      ...(await pids("kubelet")),
    ]).toEqual(untouched);
    return errors;
  };

  it("a release with another checksum than the published one", async () => {
    const folder = join((await lab.facts()).mirrorDir, "github/opencontainers/runc/releases/download/v9.9.9");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `runc.${ARCH}`), "spoilt");
    await writeFile(join(folder, "runc.sha256sum"), `${"0".repeat(64)}  runc.${ARCH}\n`);
    const site = await startHttpsSite(lab, [TARBALL]);
    const errors = await refused((settings) => {
      const { runtime } = settings["tls-bootstrap:pools"][1];
      runtime.downloadUrl = `${site.url}/github`;
      runtime.runc = { version: "9.9.9" };
    });
    await site.close();
    expect(errors).toMatch(
      new RegExp(`runc.${ARCH} has SHA-256 [0-9a-f]{64}, but 0{64} is expected; nothing was installed`),
    );
  });

  it("a release with another checksum than in the settings", async () => {
    const folder = join((await lab.facts()).mirrorDir, "github/opencontainers/runc/releases/download/v9.9.8");
    await mkdir(folder, { recursive: true });
    const file = join(folder, `runc.${ARCH}`);
    await writeFile(file, "another");
    await writeFile(
      join(folder, "runc.sha256sum"),
      `${createHash("sha256").update("another").digest("hex")}  runc.${ARCH}\n`,
    );
    const errors = await refused((settings) => {
      settings["tls-bootstrap:pools"][1].runtime.runc = { version: "9.9.8", sha256: { [ARCH]: "1".repeat(64) } };
    });
    expect(errors).toMatch(/but 1{64} is expected; nothing was installed/);
  });

  it("Kubernetes binaries from a mirror that is down", async () => {
    const errors = await refused((settings) => {
      delete settings["tls-bootstrap:checksums"];
      settings["tls-bootstrap:downloadUrl"] = "https://127.0.0.1:1";
      settings["tls-bootstrap:kubernetesVersion"] = "1.37.999";
    });
    expect(errors).toContain("cannot download https://127.0.0.1:1/v1.37.999/bin/linux/");
    expect(errors).toContain("what ran before still runs");
  });

  it("a package that the repositories do not have", async () => {
    const errors = await refused((settings) => {
      settings["tls-bootstrap:pools"][0].runtime.containerd.version = "9.9.9";
    });
    expect(errors).toContain("these packages cannot be installed: containerd=9.9.9");
  });
});

it("settings with which containerd does not start are rolled back, and pods keep running", async () => {
  const config = await lab.exec(TARBALL, "cat", "/etc/containerd/config.toml");
  const file = await lab.configFile("broken", (settings) => {
    settings["tls-bootstrap:pools"][1].runtime.containerd.config = {
      ...settings["tls-bootstrap:pools"][1].runtime.containerd.config,
      oom_score: "high",
    };
    return settings;
  });
  const errors = await lab.fails("deploy", "--config-file", file);
  expect(errors).toContain("containerd does not work with its new settings; the previous ones were put back");
  expect(errors).toContain("cannot decode TOML string into struct field config.Config.OOMScore");
  expect(errors).not.toContain(PACKAGE);
  expect(await lab.exec(TARBALL, "cat", "/etc/containerd/config.toml")).toBe(config);
  expect((await lab.exec(TARBALL, "systemctl", "is-active", "containerd")).trim()).toBe("active");
  expect((await lab.get<any>("pod", TARBALL)).status.phase).toBe("Running");
  expect(changes(await lab.operate("deploy"))).toEqual(["update tls-bootstrap-worker-6-host"]);
  await lab.out("preview", "--expect-no-changes");
});

it("a removal uninstalls what was installed, and leaves what was there before", async () => {
  await lab.kubectl("delete", "pod", "--all", "--force");
  await lab.operate("destroy");
  for (const worker of BOTH) expect(await inventory(worker)).toBe(before[worker]);
});

it("a package of a given version works with kube-proxy as a unit, and is removed again", async () => {
  const offered = await lab.shell(PACKAGE, "apt-cache madison containerd");
  const [, version] = offered.trim().split("\n").at(-1)!.split(" | ");
  const file = await lab.configFile("pinned", (settings) => {
    settings["tls-bootstrap:pools"].pop();
    settings["tls-bootstrap:pools"][0].runtime.containerd.version = version.trim();
    settings["tls-bootstrap:kubeProxy"].mode = "unit";
    return settings;
  });
  await lab.out("binaries", "kube-proxy");
  await lab.operate("deploy", "--config-file", file);
  expect(await lab.exec(PACKAGE, "dpkg-query", "-W", "-f", "${Version}", "containerd")).toBe(version.trim());
  const throughService = `/opt/bin/kubectl --kubeconfig /etc/kubernetes/kubelet.conf --server https://${API_SERVER_SERVICE} get --raw /livez`;
  expect(await lab.shell(PACKAGE, throughService)).toBe("ok");
  expect(changes(await lab.operate("preview", "--config-file", file))).toEqual([]);
  await lab.operate("destroy", "--config-file", file);
  expect(await inventory(PACKAGE)).toBe(before[PACKAGE]);
});
