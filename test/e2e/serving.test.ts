import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { makeRequests, readRequests } from "../requests/goRequests";
import { changes, eventually, TestLab } from "./testLab";

/** How an API server verifies kubelets by their serving certificates. Each test builds on the tests before it. */
const lab = new TestLab();
const TWO = ["worker-1", "worker-2"];
const KEY = "/etc/kubernetes/pki/kubelet-serving.key";
const CLOCK = "**::tls-bootstrap-worker-token-clock";
const name = (worker: string, step: string) => `tls-bootstrap-${worker}-${step}`;

jest.setTimeout(600_000);

const workers = (change: (worker: any) => void) =>
  lab.configure((settings) => settings["tls-bootstrap:pools"][0].workers.forEach(change));

/** The file from which the API server reads the CA of kubelets. */
const caFile = async () => join((await lab.facts()).stateDir, "kubelet-ca.crt");

/** Makes the API server verify kubelets with a CA. */
async function trust(ca: string): Promise<void> {
  await writeFile(await caFile(), ca);
  await lab.out("restart", "kube-apiserver");
}

const servingCa = async () => (await lab.json<{ servingCa: string }>("output")).servingCa;
const clusterCa = async () => readFile(join((await lab.facts()).stateDir, "pki", "ca.crt"), "utf8");

/** The certificate that a kubelet presents. It is not verified. */
async function shown(worker: string, host?: string): Promise<X509Certificate> {
  const { workers: machines } = await lab.facts();
  host ??= machines.find((machine) => machine.name === worker)!.address;
  return new Promise((done, failed) => {
    const socket = connect({ host, port: 10250, rejectUnauthorized: false }, () => {
      done(new X509Certificate(socket.getPeerCertificate(true).raw));
      socket.destroy();
    });
    socket.once("error", failed);
  });
}

const pod = (worker: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `on-${worker}` },
  spec: {
    nodeName: worker,
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "main",
        image: "lab.local/busybox:1",
        command: ["sh", "-c", "echo a line; sleep 3600"],
        imagePullPolicy: "Never",
      },
    ],
  },
});

async function startPods(...nodes: string[]): Promise<void> {
  await lab.apply({ apiVersion: "v1", kind: "List", items: nodes.map(pod) });
  const names = nodes.map((node) => `on-${node}`);
  await lab.kubectl("wait", "pod", ...names, "--for=condition=Ready", "--timeout=180s");
}

/** Expects that logs and exec work. An API server that verifies kubelets serves them from verified kubelets only. */
async function expectLogsAndExec(...nodes: string[]): Promise<void> {
  await startPods(...nodes);
  for (const node of nodes) {
    await eventually(async () => expect(await lab.kubectl("logs", `on-${node}`)).toBe("a line\n"), 90);
    expect(await lab.kubectl("exec", `on-${node}`, "--", "echo", "done")).toBe("done\n");
  }
}

const restarts = async (name: string) => (await lab.get<any>("pod", name)).status.containerStatuses[0].restartCount;

beforeAll(async () => {
  await writeFile(await caFile(), await clusterCa());
  await lab.out("up", "--flag", `kube-apiserver=--kubelet-certificate-authority=${await caFile()}`);
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(2);
  });
});

/** An address that worker-2 has for one test. */
const OTHER = "212";

afterAll(async () => {
  await lab.run("destroy");
  await lab.shell(
    "worker-2",
    `ip address del "$(ip -o -4 address | grep -o '[0-9.]*[.]${OTHER}/24')" dev eth0 || true`,
  );
  await lab.out("up", "--reset-flags");
});

describe("serving certificates that the stack issues", () => {
  it("are refused by an API server that does not have the CA of the stack", async () => {
    await lab.operate("deploy");
    await startPods(...TWO);
    const { status, stderr } = await lab.run("kubectl", "logs", "on-worker-1");
    expect([status === 0, stderr]).toEqual([
      false,
      expect.stringContaining("x509: certificate signed by unknown authority"),
    ]);
  });

  it("let logs and exec work on an API server that verifies kubelets with the CA of the stack", async () => {
    await trust(await servingCa());
    await expectLogsAndExec(...TWO);
    const ca = new X509Certificate(await servingCa());
    const { workers: machines } = await lab.facts();
    for (const worker of TWO) {
      const certificate = await shown(worker);
      expect(certificate.verify(ca.publicKey)).toBe(true);
      expect(certificate.subject).toBe(`O=system:nodes\nCN=system:node:${worker}`);
      const { address } = machines.find((machine) => machine.name === worker)!;
      expect(certificate.subjectAltName).toBe(`DNS:${worker}, IP Address:${address}`);
      expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]); // a server, and no client
      expect(certificate.ca).toBe(false);
      expect(await lab.exec(worker, "stat", "-c", "%a %U", KEY)).toBe("600 root\n");
    }
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("are renewed when they are due, with one SSH session, and pods keep running", async () => {
    await lab.ageCertificate(name("worker-1", "serving-certificate"), 244 * 24);
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await lab.ageCertificate(name("worker-1", "serving-certificate"), 2 * 24);
    const before = await shown("worker-1");
    const key = await lab.exec("worker-1", "sha256sum", KEY);
    const pids = await Promise.all(TWO.map((worker) => lab.kubeletPid(worker)));
    const sessions = await lab.allSessions(TWO);

    const result = await lab.operate("deploy");

    expect(changes(result).filter((line) => !line.includes("-serving-certificate"))).toEqual([
      `update ${name("worker-1", "serving")}`,
    ]);
    expect(changes(result).join()).not.toContain("worker-2");
    expect(await lab.allSessions(TWO)).toEqual({ ...sessions, "worker-1": sessions["worker-1"] + 1 });
    expect((await shown("worker-1")).serialNumber).not.toBe(before.serialNumber);
    expect(await lab.kubeletPid("worker-1")).not.toBe(pids[0]);
    expect(await lab.kubeletPid("worker-2")).toBe(pids[1]);
    expect(await restarts("on-worker-1")).toBe(0);
    expect(await lab.exec("worker-1", "sha256sum", KEY)).toBe(key);
    await expectLogsAndExec("worker-1");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("are not replaced by a change of the host step alone", async () => {
    await lab.configure((settings) => {
      settings["tls-bootstrap:downloadUrl"] += "/.";
    });
    const hosts = TWO.map((worker) => `update ${name(worker, "host")}`);
    expect(changes(await lab.operate("preview"))).toEqual(hosts);
    expect(changes(await lab.operate("deploy"))).toEqual(hosts);
  });

  it("are replaced when the address of a worker changes", async () => {
    const { workers: machines } = await lab.facts();
    const address = machines.find(({ name }) => name === "worker-2")!.address.replace(/\d+$/, OTHER);
    await lab.shell(
      "worker-2",
      `ip address add ${address}/24 dev $(ip -o route get 10.96.0.1 | sed 's/.* dev \\([^ ]*\\).*/\\1/')`,
    );
    await workers((worker) => {
      if (worker.name === "worker-2") worker.nodeAddress = address;
    });
    await lab.operate("deploy");
    expect((await shown("worker-2", address)).subjectAltName).toBe(`DNS:worker-2, IP Address:${address}`);
    await expectLogsAndExec("worker-2");
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await workers((worker) => delete worker.nodeAddress);
    await lab.operate("deploy");
    await expectLogsAndExec("worker-2");
  });

  it("cannot be renewed without their key: the error has the command that replaces both", async () => {
    const before = await shown("worker-2");
    await lab.exec("worker-2", "rm", KEY);
    await lab.configure((settings) => {
      settings["tls-bootstrap:downloadUrl"] += "/.";
    });
    const errors = await lab.fails("deploy");
    expect(errors).toContain(`${KEY} is gone or is not the key of /etc/kubernetes/pki/kubelet-serving.crt`);
    const replace = [CLOCK, `**::${name("worker-2", "host")}`];
    expect(errors).toContain(`pulumi up ${replace.map((target) => `--replace "${target}"`).join(" ")}`);
    expect((await shown("worker-2")).serialNumber).toBe(before.serialNumber);
    await lab.operate("deploy", ...replace.flatMap((target) => ["--replace", target]));
    expect((await shown("worker-2")).publicKey.equals(before.publicKey)).toBe(false);
    await expectLogsAndExec("worker-2");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("are never signed for more than the name and address of a worker", async () => {
    // A worker that somebody else controls: its openssl asks for the API server's address.
    const openssl = "/usr/local/bin/openssl";
    await lab.shell(
      "worker-2",
      `printf '#!/bin/sh\\n[ "$1" = req ] || exec /usr/bin/openssl "$@"\\nsed s/IP:[0-9.]*/IP:10.96.0.1/ | /usr/bin/openssl "$@"\\n' >${openssl}; chmod +x ${openssl}`,
    );
    const replace = ["--replace", CLOCK, "--replace", `**::${name("worker-2", "host")}`];
    const errors = await lab.fails("deploy", ...replace);
    expect(errors).toContain(
      'worker-2: the request for its serving certificate is refused: it is for dns "worker-2", ip "10.96.0.1", and must be for dns "worker-2", ip "10.',
    );
    expect(await lab.shell("worker-2", "ls /etc/kubernetes/pki")).toBe("kubelet-serving.key\n");
    await lab.exec("worker-2", "rm", openssl);
    await lab.operate("deploy", ...replace);
    await expectLogsAndExec("worker-2");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("can be signed by the CA of the cluster, and pods keep running", async () => {
    const { stateDir } = await lab.facts();
    const certificate = await clusterCa();
    const key = await readFile(join(stateDir, "pki", "ca.key"), "utf8");
    await lab.configure((settings) => {
      settings["tls-bootstrap:servingCertificates"] = { ca: { certificate, key } };
    });
    await lab.operate("deploy");
    expect(await servingCa()).toBe(certificate);
    await trust(certificate);
    await expectLogsAndExec(...TWO);
    for (const worker of TWO) expect(await restarts(`on-${worker}`)).toBe(0);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

/** A request for a serving certificate as an object of the API. */
function requestOf(line: string): object {
  const [[request]] = makeRequests([line]);
  return {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { generateName: "asked-" },
    spec: { request, signerName: SIGNER, usages: ["digital signature", "server auth"] },
  };
}

/** Requests a serving certificate with the identity of a node. Returns what the API server answers. */
async function ask(node: string, line: string): Promise<string> {
  const kubectl = ". /etc/tls-bootstrap/node.conf; $KUBECTL --kubeconfig /etc/kubernetes/kubelet.conf";
  return lab.shell(
    node,
    `${kubectl} create -f - -o name 2>&1 <<'END' || true\n${JSON.stringify(requestOf(line))}\nEND\n`,
  );
}

const SIGNER = "kubernetes.io/kubelet-serving";

/** The requests for serving certificates, with the names in them. */
async function requests() {
  const { items } = await lab.get<{ items: any[] }>("csr");
  const serving = items.filter(({ spec }) => spec.signerName === SIGNER);
  const asked = readRequests(serving.map(({ spec }) => spec.request as string));
  return serving.map(({ metadata, spec, status }, i) => ({
    name: metadata.name as string,
    by: spec.username as string,
    asked: asked[i]!,
    isApproved: Boolean(status.conditions),
    certificate: status.certificate as string | undefined,
  }));
}

/** Approves all requests without a check. */
async function approveEverything(...as: string[]): Promise<void> {
  const pending = (await requests()).filter(({ isApproved }) => !isApproved);
  if (pending.length > 0) await lab.kubectl("certificate", "approve", ...pending.map(({ name }) => name), ...as);
}

const mode = (settings: object) =>
  lab.configure((all) => {
    all["tls-bootstrap:servingCertificates"] = settings;
  });

it("a declared node cannot request a serving certificate when the stack issues them", async () => {
  const address = (await lab.facts()).workers[0].address;
  expect(await ask("worker-1", `worker-1 worker-1 ${address}`)).toContain(
    "system:node:worker-1 gets its serving certificate from whoever declared it, and asks the cluster for none",
  );
});

describe("serving certificates that are approved by hand", () => {
  it("are requested by the kubelets, and signed by the CA of the cluster", async () => {
    await mode({ mode: "manual" });
    await lab.operate("deploy");
    expect(await lab.json("output")).toMatchObject({ approveServing: expect.stringContaining("certificate approve") });
    await trust(await clusterCa());
    for (const worker of TWO) expect(await lab.shell(worker, "ls /etc/kubernetes/pki")).toBe("ca.crt\n");
    await eventually(async () => expect((await requests()).map(({ by }) => by).sort()).toEqual(TWO.map(userOf)), 120);
    await startPods(...TWO);
    expect((await lab.run("kubectl", "logs", "on-worker-1")).stderr).toContain("remote error: tls: internal error");
    await approveEverything();
    await expectLogsAndExec(...TWO);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("are never issued for another name or address, even when every request is approved", async () => {
    const [own, other] = (await lab.facts()).workers.map(({ address }) => address);
    for (const line of [
      `worker-1 worker-1 ${other}`,
      "worker-1 worker-1 10.96.0.1",
      `worker-1 kubernetes.default.svc ${own}`,
      `worker-1 worker-1 kubernetes ${own}`,
      `worker-1 worker-1 ${own} ${other}`,
      `worker-1 worker-1`,
      `worker-1 ${own}`,
      `worker-2 worker-2 ${other}`,
      `worker-2 worker-1 ${own}`,
      `master-1 worker-1 ${own}`,
    ])
      expect([line, await ask("worker-1", line)]).toEqual([
        line,
        expect.stringMatching(
          // The second is the answer of Kubernetes itself to another node's name.
          /may ask for a serving certificate as its kubelet does, for DNS:worker-1, IP:[0-9.]+ only|can only create a node CSR with CN=system:node:worker-1/,
        ),
      ]);
    expect(await ask("worker-1", `worker-1 worker-1 ${own}`)).toMatch(/^certificatesigningrequest\S* *\n$/);
    await approveEverything();
    await eventually(async () => {
      const all = await requests();
      expect(all.filter(({ certificate }) => !certificate)).toEqual([]);
      for (const { by, asked } of all) {
        const node = by.replace("system:node:", "");
        const { address } = (await lab.facts()).workers.find(({ name }) => name === node)!;
        expect(asked).toEqual({ commonName: by, dns: [node], ips: [address] });
      }
    }, 30);
  });

  it("can still be requested by undeclared nodes, but not with a bootstrap token", async () => {
    const file = await lab.writeManifest(requestOf("master-1 master-1 10.0.0.1"));
    const create = (...as: string[]) => lab.run("kubectl", "create", "-f", file, "--dry-run=server", ...as);
    expect((await create("--as=system:node:master-1", "--as-group=system:nodes")).status).toBe(0);
    const masters = "--as-group=system:masters"; // may do everything, so that only the policy refuses
    expect((await create("--as=system:bootstrap:abc123", masters)).stderr).toContain(
      "a bootstrap token is not for serving certificates",
    );
  });
});

describe("the approver", () => {
  it("runs, and may approve serving certificates only", async () => {
    await mode({ mode: "approver" });
    await lab.operate("deploy");
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await eventually(async () => {
      const { items } = await lab.get<{ items: any[] }>("pods", "-n", "kube-system");
      expect(items.map(({ spec }) => spec.containers[0].image)).toEqual([expect.stringContaining("@sha256:")]);
    });
    const as = "--as=system:serviceaccount:kube-system:tls-bootstrap-lab-csr-approver";
    const [own] = (await lab.facts()).workers.map(({ address }) => address);
    const name = (await ask("worker-1", `worker-1 worker-1 ${own}`)).trim().split(/[/ ]/)[1];
    await approveEverything(as);
    await eventually(async () =>
      expect((await requests()).find((request) => request.name === name)?.certificate).toBeTruthy(),
    );
    await expectLogsAndExec("worker-1");
    const [client] = (await lab.get<{ items: any[] }>("csr")).items.filter(({ spec }) => spec.signerName !== SIGNER);
    const { stderr } = await lab.run("kubectl", "certificate", "approve", "--force", client.metadata.name, as);
    expect(stderr).toContain("forbidden");
  });

  it("is removed with its mode, and the stack issues the certificates again", async () => {
    await mode({ mode: "issued" });
    await lab.operate("deploy");
    await trust(await servingCa());
    await expectLogsAndExec(...TWO);
    const objects = await lab.kubectl("get", "deployments,serviceaccounts", "-n", "kube-system", "-o", "name");
    expect(objects).not.toContain("approver");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

const userOf = (node: string) => `system:node:${node}`;
