import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CLIENT_CERTIFICATE, expectBare } from "./bareHost";
import { deploymentOf, podOn, spreadOver } from "./pods";
import { changes, eventually, VERSION } from "./testLab";
import {
  addFourth,
  deploymentSecrets,
  expectNoLeaks,
  FOUR,
  lab,
  names,
  outputs,
  sessionsOf,
  THREE,
  worker,
} from "./threeWorkers";

/** The life of a pool: three workers join, a fourth joins and leaves, and all are removed. Each test builds on the tests before it. */
let secrets: Awaited<ReturnType<typeof deploymentSecrets>>;

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
    secrets = await deploymentSecrets();
    const { token } = secrets;
    expect(token).toMatch(/^[a-z0-9]{16}$/);
    for (const name of THREE) {
      // With shell histories and temporary files.
      const places = "/etc /var /run /tmp /root /home /usr/local";
      // The brackets keep the token out of grep's own command line.
      expect(await lab.shell(name, `grep -rl '[${token[0]}]${token.slice(1)}' ${places} 2>/dev/null || true`)).toBe("");
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
    await lab.apply({ apiVersion: "v1", kind: "List", items: THREE.map((node) => podOn(node)) });
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

describe("a fourth worker", () => {
  it("joins with a new token, without a session or a change on the others", async () => {
    const sessions = await sessionsOf(THREE);
    const pids = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    const { tokens } = await outputs();
    await addFourth();
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
    await lab.apply(deploymentOf("spread", 4, { topologySpreadConstraints: spreadOver("spread", "ScheduleAnyway") }));
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
    await expectBare(lab, "worker-4");
    expect(await Promise.all(THREE.map((name) => lab.kubeletPid(name)))).toEqual(pids);
    expect(await sessionsOf(THREE)).toEqual(sessions);
    await lab.kubectl("delete", "deployment/spread", "--now");
  });
});

it("a destroy leaves no objects, units or keys", async () => {
  await lab.kubectl("delete", "pods", "--all", "--now"); // nothing would start them again
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
  for (const name of THREE) await expectBare(lab, name);
});

it("no secret was seen in state, logs, output, process lists or journals", () => expectNoLeaks(secrets));

async function readyCondition(node: string): Promise<{ status: string; lastHeartbeatTime: string }> {
  const { status } = await lab.get<any>("node", node);
  return status.conditions.find(({ type }: { type: string }) => type === "Ready");
}
