import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { JoinReceipt } from "../../components";
import { ProcessWatch } from "./processWatch";
import { findLeaks } from "./secretLeaks";
import { changes, eventually, TestLab, VERSION } from "./testLab";

/**
 * The life of a pool: three workers join and change, a fourth joins and leaves, and all are removed. Each test builds on the tests before
 * it.
 */
const lab = new TestLab();
const THREE = ["worker-1", "worker-2", "worker-3"];
const FOUR = [...THREE, "worker-4"];
const CLIENT_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem";

interface Outputs {
  apiServer: string;
  tokens: Record<string, { id: string; expires: string }>;
  receipts: Record<string, JoinReceipt>;
  bootstrapKubeconfigs: Record<string, string>;
  clusterInfo: string;
}

const outputs = (...args: string[]): Promise<Outputs> => lab.json<Outputs>("output", ...args);

const names = (step: string, worker: string) => `tls-bootstrap-${worker}-${step}`;

const worker = (settings: Record<string, any>, name: string): any =>
  settings["tls-bootstrap:pools"][0].workers.find((candidate: { name: string }) => candidate.name === name);

/** Secrets that must not be seen anywhere, added as they come into being. */
const canaries: Record<string, string> = {};
let watch: ProcessWatch;
let fourth: unknown;
/** SSH logins of each worker before this file, since other files use the same lab. */
let earlier: Record<string, number>;

beforeAll(async () => {
  await lab.configure((settings) => {
    fourth = settings["tls-bootstrap:pools"][0].workers.pop();
  });
  earlier = await lab.allSessions(FOUR);
});

afterAll(async () => {
  watch?.stop();
  await lab.run("destroy"); // also after a failure, so that the next file finds bare workers
});

/** SSH logins of workers since the beginning of this file. */
async function sessionsOf(workers: readonly string[]): Promise<Record<string, number>> {
  const all = Object.entries(await lab.allSessions(workers));
  return Object.fromEntries(all.map(([name, count]) => [name, count - earlier[name]]));
}

describe("three bare workers", () => {
  it("are all new in the preview, which touches none of them", async () => {
    const preview = await lab.operate("preview");
    expect(preview.changes.create).toBeGreaterThan(20);
    expect(Object.keys(preview.changes)).toEqual(["create"]);
    for (const name of THREE)
      for (const step of ["node", "host", "serving", "kubelet", "join"])
        expect(changes(preview)).toContain(`create ${names(step, name)}`);
    expect(await sessionsOf(THREE)).toEqual({ "worker-1": 0, "worker-2": 0, "worker-3": 0 });
    expect((await lab.status()).nodes).toEqual([]);
  });

  it("join in one deployment, by four SSH sessions each", async () => {
    const { ssh, kubeconfig, passphraseFile } = await lab.facts();
    canaries.sshKey = (await readFile(ssh.privateKeyFile, "utf8")).split("\n")[2];
    canaries.adminKey = /client-key-data: (\S+)/.exec(await readFile(kubeconfig, "utf8"))![1].slice(0, 60);
    canaries.passphrase = (await readFile(passphraseFile, "utf8")).trim();
    watch = new ProcessWatch();
    await lab.operate("deploy");
    expect(await sessionsOf(THREE)).toEqual({ "worker-1": 4, "worker-2": 4, "worker-3": 4 });
    const { nodes } = await lab.status();
    expect(nodes?.map(({ name, ready, kubeletVersion }) => [name, ready, kubeletVersion])).toEqual(
      THREE.map((name) => [name, true, `v${VERSION}`]),
    );
  });

  it("can be inspected with the lab's command line", async () => {
    expect(await lab.cli("exec", "worker-1", "--", "hostname")).toEqual({
      status: 0,
      stdout: "worker-1\n",
      stderr: "",
    });
    const { stdout } = await lab.cli("kubectl", "get", "nodes", "-o", "name");
    expect(stdout).toBe(THREE.map((name) => `node/${name}\n`).join(""));
  });

  it("requested their certificates with the bootstrap token, and the controllers approved and signed them", async () => {
    const { tokens } = await outputs();
    const { items } = await lab.get<{ items: any[] }>("csr");
    const own = items.filter(({ spec }) => spec.username === `system:bootstrap:${tokens.worker.id}`);
    expect(own).toHaveLength(3);
    for (const { spec, status } of own) {
      expect(spec.groups).toContain("system:bootstrappers:tls-bootstrap-lab:worker");
      expect(spec.signerName).toBe("kubernetes.io/kube-apiserver-client-kubelet");
      expect(status.conditions.map(({ type, reason }: any) => [type, reason])).toEqual([["Approved", "AutoApproved"]]);
      expect(status.certificate).toBeTruthy();
    }
  });

  it("have a certificate of the cluster's CA for their own name, and a receipt that proves it", async () => {
    const ca = new X509Certificate(await readFile(join((await lab.facts()).stateDir, "pki", "ca.crt")));
    const { receipts } = await outputs();
    for (const name of THREE) {
      const pem = await lab.shell(name, `sed -n '/BEGIN CERT/,/END CERT/p' ${CLIENT_CERTIFICATE}`);
      const certificate = new X509Certificate(pem);
      expect(certificate.subject).toBe(`O=system:nodes\nCN=system:node:${name}`);
      expect(certificate.verify(ca.publicKey)).toBe(true);
      expect(receipts[name]).toMatchObject({
        node: name,
        kubeletVersion: `v${VERSION}`,
        certificate: {
          subject: `O=system:nodes, CN=system:node:${name}`,
          notAfter: new Date(certificate.validTo).toISOString(),
        },
        configHash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      });
      expect(receipts[name].ms.total).toBe(
        receipts[name].ms.token + receipts[name].ms.certificate + receipts[name].ms.ready,
      );
    }
  });

  it("no longer have the token, and only root can read their files", async () => {
    const { bootstrapKubeconfigs } = await outputs("--show-secrets");
    canaries.token = /token: (\S+)/.exec(bootstrapKubeconfigs.worker)![1].split(".")[1];
    expect(canaries.token).toMatch(/^[a-z0-9]{16}$/);
    for (const name of THREE) {
      // With shell histories and temporary files.
      const places = "/etc /var /run /tmp /root /home /usr/local";
      // The brackets keep the token out of grep's own command line.
      expect(
        await lab.shell(
          name,
          `grep -rl '[${canaries.token[0]}]${canaries.token.slice(1)}' ${places} 2>/dev/null || true`,
        ),
      ).toBe("");
      expect(await lab.shell(name, "ls /etc/kubernetes /run/tls-bootstrap")).toBe(
        "/etc/kubernetes:\nkubelet.conf\npki\n\n/run/tls-bootstrap:\nlock\n",
      );
      const files =
        "/etc/kubernetes/kubelet.conf /var/lib/kubelet/config.yaml /etc/systemd/system/kubelet.service /etc/kubernetes/pki/ca.crt";
      expect((await lab.shell(name, `stat -Lc '%a %U' ${files} ${CLIENT_CERTIFICATE}`)).trim().split("\n")).toEqual([
        "600 root",
        "600 root",
        "600 root",
        "644 root",
        "600 root",
      ]);
    }
  });

  it("run pods", async () => {
    const pods = THREE.map((node) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: `on-${node}` },
      spec: {
        nodeName: node,
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: "main", image: "lab.local/busybox:1", command: ["sleep", "3600"], imagePullPolicy: "Never" },
        ],
      },
    }));
    await lab.apply({ apiVersion: "v1", kind: "List", items: pods });
    await lab.kubectl("wait", "pod", ...THREE.map((node) => `on-${node}`), "--for=condition=Ready", "--timeout=120s");
  });

  it("need no change afterwards, and a second deployment opens no SSH session", async () => {
    const before = await sessionsOf(THREE);
    expect(changes(await lab.operate("preview", "--expect-no-changes"))).toEqual([]);
    expect(changes(await lab.operate("deploy"))).toEqual([]);
    expect(changes(await lab.operate("refresh"))).toEqual([]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
    expect(await sessionsOf(THREE)).toEqual(before);
  });

  it("survive a kubelet restart and a reboot without a token, and need no change afterwards", async () => {
    await lab.exec("worker-3", "systemctl", "restart", "kubelet");
    const rebooted = Date.now();
    await lab.out("restart", "worker-2");
    await eventually(async () => {
      const { status, lastHeartbeatTime } = await readyCondition("worker-2");
      expect(status).toBe("True");
      expect(Date.parse(lastHeartbeatTime)).toBeGreaterThan(rebooted);
      expect((await lab.status()).nodes?.map(({ ready }) => ready)).toEqual([true, true, true]);
    });
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

describe("a kubelet setting", () => {
  it("shows the changed line in the preview", async () => {
    await lab.configure((settings) => {
      worker(settings, "worker-2").kubelet = { maxPods: 42 };
    });
    const preview = await lab.operate("preview");
    expect(changes(preview)).toEqual([`update ${names("kubelet", "worker-2")}`]);
    const text = await lab.out("preview", "--diff");
    expect(text.split("\n").filter((line) => /^\s*[+-] /.test(line) && /maxPods/.test(line))).toHaveLength(1);
    expect(text).toMatch(/^\s*\+ +maxPods: 42$/m);
    expect(text).not.toMatch(/^\s*- +(file|ExecStart|apiVersion)/m);
  });

  it("restarts the kubelet of that worker once, keeps its Node, and opens no session to the others", async () => {
    const sessions = await sessionsOf(THREE);
    const pids = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    const { uid } = (await lab.get<any>("node", "worker-2")).metadata;
    const starts = () =>
      lab.shell("worker-2", "journalctl -u kubelet -o cat --no-pager | grep -c '^Started kubelet' || true");
    const before = Number(await starts());
    const { receipts } = await outputs();

    await lab.operate("deploy");

    expect(Number(await starts()) - before).toBe(1);
    expect(await sessionsOf(THREE)).toEqual({ ...sessions, "worker-2": sessions["worker-2"] + 1 });
    const after = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    expect([after[0], after[2]]).toEqual([pids[0], pids[2]]);
    const node = await lab.get<any>("node", "worker-2");
    expect(node.metadata.uid).toBe(uid);
    expect(node.status.capacity.pods).toBe("42");
    const changed = (await outputs()).receipts;
    expect(changed["worker-2"].configHash).not.toBe(receipts["worker-2"].configHash);
    expect(changed["worker-1"]).toEqual(receipts["worker-1"]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("that the kubelet cannot run with is rolled back on the worker, and the next deployment converges", async () => {
    await lab.configure((settings) => {
      worker(settings, "worker-2").kubelet = { maxPods: 42, kubeReserved: { memory: "900Gi" } }; // more than there is
    });
    const errors = await lab.fails("deploy");
    expect(errors).toContain(
      "with the new files kubelet of worker-2 does not become healthy; the previous ones are put back",
    );
    expect(errors).toContain("invalid Node Allocatable configuration");
    expect((await lab.status()).nodes?.find(({ name }) => name === "worker-2")?.ready).toBe(true);
    expect(await lab.exec("worker-2", "cat", "/var/lib/kubelet/config.yaml")).not.toContain("900Gi");
    await lab.configure((settings) => {
      worker(settings, "worker-2").kubelet = { maxPods: 42 };
    });
    await lab.operate("deploy");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("labels and taints follow the settings, also when they are removed", async () => {
  const sessions = await sessionsOf(THREE);
  const node = async () => {
    const { nodes } = await lab.status();
    const { labels, taints } = nodes!.find(({ name }) => name === "worker-1")!;
    return { rack: labels.rack, role: labels["node-role.kubernetes.io/worker"], taints };
  };
  await lab.configure((settings) => {
    Object.assign(worker(settings, "worker-1"), {
      labels: { rack: "r1" },
      taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }],
    });
  });
  expect(changes(await lab.operate("preview"))).toEqual([`update ${names("node", "worker-1")}`]);
  await lab.operate("deploy");
  expect(await node()).toEqual({
    rack: "r1",
    role: "",
    taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }],
  });

  await lab.configure((settings) => {
    worker(settings, "worker-1").taints = [{ key: "dedicated", value: "web", effect: "NoSchedule" }];
  });
  await lab.operate("deploy");
  expect((await node()).taints).toEqual([{ key: "dedicated", value: "web", effect: "NoSchedule" }]);

  await lab.configure((settings) => {
    delete worker(settings, "worker-1").labels;
    delete worker(settings, "worker-1").taints;
  });
  await lab.operate("deploy");
  expect(await node()).toEqual({ rack: undefined, role: "", taints: [] });
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(await sessionsOf(THREE)).toEqual(sessions);
});

it("an administrator's cordon stays, also when a label changes", async () => {
  const unschedulable = async () => (await lab.get<any>("node", "worker-3")).spec.unschedulable;
  const label = async (labels: Record<string, string>) => {
    await lab.configure((settings) => {
      worker(settings, "worker-3").labels = labels;
    });
    await lab.operate("deploy");
  };
  await lab.kubectl("cordon", "worker-3");
  expect(changes(await lab.operate("preview"))).toEqual([]);
  await label({ rack: "r3" });
  expect(await unschedulable()).toBe(true);
  await label({});
  expect(await unschedulable()).toBe(true);
  await lab.kubectl("uncordon", "worker-3");
  expect(await unschedulable()).toBeUndefined();
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

describe("a fourth worker", () => {
  it("joins with a new token, without a session or a change on the others", async () => {
    const sessions = await sessionsOf(THREE);
    const pids = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    const { tokens } = await outputs();
    await lab.configure((settings) => {
      settings["tls-bootstrap:pools"][0].workers.push(fourth);
    });
    const result = await lab.operate("deploy");
    expect(changes(result).filter((line) => /worker-[123]-/.test(line))).toEqual([]);
    expect(await sessionsOf(FOUR)).toEqual({ ...sessions, "worker-4": 4 });
    expect(await Promise.all(THREE.map((name) => lab.kubeletPid(name)))).toEqual(pids);
    expect((await lab.status()).nodes?.map(({ ready }) => ready)).toEqual([true, true, true, true]);
    expect((await outputs()).tokens.worker.id).not.toBe(tokens.worker.id);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("with a raised generation joins again: with a new key, the same Node, and no cordon left", async () => {
    const identity = () => lab.shell("worker-4", `sha256sum ${CLIENT_CERTIFICATE}`);
    const before = await identity();
    const { uid } = (await lab.get<any>("node", "worker-4")).metadata;
    await lab.configure((settings) => {
      worker(settings, "worker-4").generation = 2;
    });
    const result = await lab.operate("deploy");
    expect(changes(result).filter((line) => /worker-[1-4]-/.test(line) && !line.includes("token"))).toEqual(
      expect.arrayContaining([expect.stringContaining(names("join", "worker-4"))]),
    );
    expect(changes(result).filter((line) => /worker-[123]-/.test(line))).toEqual([]);
    expect(await identity()).not.toBe(before);
    const node = await lab.get<any>("node", "worker-4");
    expect(node.metadata.uid).toBe(uid);
    expect(node.spec.unschedulable).toBeUndefined();
    expect((await readyCondition("worker-4")).status).toBe("True");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("is drained, stopped and deleted when it is removed, and the others are not affected", async () => {
    await lab.apply(spreadDeployment(4));
    await lab.kubectl("rollout", "status", "deployment/spread", "--timeout=120s");
    const podsOn = async (node: string) =>
      (await lab.get<{ items: any[] }>("pods", "-l", "app=spread", "--field-selector", `spec.nodeName=${node}`)).items
        .length;
    expect(await podsOn("worker-4")).toBeGreaterThan(0);
    const sessions = await sessionsOf(THREE);
    const pids = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    await lab.configure((settings) => {
      settings["tls-bootstrap:pools"][0].workers.pop();
    });

    await lab.operate("deploy");

    expect((await lab.status()).nodes?.map(({ name }) => name)).toEqual(THREE);
    expect(await podsOn("worker-4")).toBe(0);
    await lab.kubectl("rollout", "status", "deployment/spread", "--timeout=60s");
    await expectBare("worker-4");
    expect(await Promise.all(THREE.map((name) => lab.kubeletPid(name)))).toEqual(pids);
    expect(await sessionsOf(THREE)).toEqual(sessions);
    await lab.kubectl("delete", "deployment/spread", "--now");
  });
});

it("a destroy leaves no objects, units or keys", async () => {
  await lab.operate("destroy");
  expect((await lab.status()).nodes).toEqual([]);
  const secrets = await lab.get<{ items: any[] }>("secrets", "-n", "kube-system");
  expect(secrets.items.filter(({ type }) => type === "bootstrap.kubernetes.io/token")).toEqual([]);
  const names = async (...args: string[]) => (await lab.kubectl("get", ...args, "-o", "name")).split("\n");
  expect((await names("clusterrolebindings")).filter((name) => name.includes("tls-bootstrap"))).toEqual([]);
  expect(
    (await names("-n", "kube-public", "configmaps,roles,rolebindings")).filter((name) =>
      /cluster-info|tls-bootstrap/.test(name),
    ),
  ).toEqual([]);
  for (const name of THREE) await expectBare(name);
});

it("no secret was seen in state, logs, output, process lists or journals", async () => {
  expect(Object.keys(canaries).sort()).toEqual(["adminKey", "passphrase", "sshKey", "token"]);
  // The command that asked for secrets is no leak.
  const unasked = (text: string) => !text.includes('"bootstrapKubeconfigs": {\n    "worker": "apiVersion');
  expect(await findLeaks(lab, canaries, watch.stop(), unasked)).toEqual([]);
});

async function readyCondition(node: string): Promise<{ status: string; lastHeartbeatTime: string }> {
  const { status } = await lab.get<any>("node", node);
  return status.conditions.find(({ type }: { type: string }) => type === "Ready");
}

/** Expects that no unit, file, key or container of ours is left on a worker. */
async function expectBare(name: string): Promise<void> {
  const places = [
    "/etc/kubernetes",
    "/etc/tls-bootstrap",
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/multi-user.target.wants/kubelet.service",
    "/etc/sysctl.d/90-tls-bootstrap.conf",
    "/etc/modules-load.d/tls-bootstrap.conf",
    "/opt/kubernetes",
    "/usr/local/bin/kubelet",
    "/usr/local/bin/kubectl",
    "/opt/tls-bootstrap/scripts",
    "/var/lib/kubelet",
    "/var/lib/tls-bootstrap",
  ];
  expect(await lab.shell(name, `ls -d ${places.join(" ")} 2>/dev/null || true`)).toBe("");
  expect(await lab.shell(name, "pgrep -a kubelet || true")).toBe("");
  expect(await lab.shell(name, "ctr -n k8s.io tasks list -q")).toBe("");
  expect(await lab.shell(name, "systemctl list-units --all --no-legend 'kubelet*' 'tls-bootstrap*'")).toBe("");
}

function spreadDeployment(replicas: number) {
  const labels = { app: "spread" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "spread" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: labels },
            },
          ],
          containers: [
            { name: "main", image: "lab.local/busybox:1", command: ["sleep", "3600"], imagePullPolicy: "Never" },
          ],
        },
      },
    },
  };
}
