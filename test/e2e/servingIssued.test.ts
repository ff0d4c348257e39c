import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import {
  bringUpVerifyingApiServer,
  clusterCa,
  expectLogsAndExec,
  lab,
  removeVerifyingApiServer,
  servingCa,
  startPods,
  trust,
  TWO,
} from "./servingLab";
import { changes } from "./testLab";

/** Serving certificates that the stack issues, on an API server that verifies kubelets. Each test builds on the tests before it. */
const KEY = "/etc/kubernetes/pki/kubelet-serving.key";
const CLOCK = "**::tls-bootstrap-worker-token-clock";
const name = (worker: string, step: string) => `tls-bootstrap-${worker}-${step}`;

jest.setTimeout(600_000);

const workers = (change: (worker: any) => void) =>
  lab.configure((settings) => settings["tls-bootstrap:pools"][0].workers.forEach(change));

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

const restarts = async (name: string) => (await lab.get<any>("pod", name)).status.containerStatuses[0].restartCount;

/** An address that worker-2 has for one test. */
const OTHER = "212";

beforeAll(bringUpVerifyingApiServer);

afterAll(async () => {
  await lab.run("destroy");
  await lab.shell(
    "worker-2",
    `ip address del "$(ip -o -4 address | grep -o '[0-9.]*[.]${OTHER}/24')" dev eth0 || true`,
  );
  await removeVerifyingApiServer();
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
    const before = await shown("worker-2");
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
    expect((await shown("worker-2")).serialNumber).toBe(before.serialNumber);
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
