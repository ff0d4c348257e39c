import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { type CertificatePair, createAuthority, issueCertificate } from "../../lab/control-plane/certificates";
import { CLIENT_CERTIFICATE } from "./bareHost";
import { podOn } from "./pods";
import { PoolSettings } from "./poolSettings";
import { changes, eventually, TestLab } from "./testLab";

/** What a stack says of its API server, and how nodes follow. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
/** A name in the certificate of the API server. */
const NAME = "kubernetes.default.svc";
const ADMINISTRATOR = { commonName: "somebody", organization: "system:masters" };
let clientCa: string;
let ofClientCa: CertificatePair;
let ofClusterCa: CertificatePair;

/** The kubelet's answer to a client with this certificate. */
async function answerTo({ certificate, key }: CertificatePair): Promise<number> {
  const { address } = (await lab.status()).workers[0];
  return new Promise((done, failed) => {
    const options = { host: address, port: 10250, path: "/pods", cert: certificate, key, rejectUnauthorized: false };
    request(options, (response) => {
      response.resume();
      done(response.statusCode!);
    })
      .on("error", failed)
      .end();
  });
}

beforeAll(async () => {
  const { stateDir } = await lab.facts();
  const read = (name: string) => readFile(join(stateDir, "pki", name), "utf8");
  const authority = await createAuthority("kubelet-clients", new Date());
  clientCa = authority.certificate;
  ofClientCa = await issueCertificate(authority, ADMINISTRATOR, new Date());
  const ca = { certificate: await read("ca.crt"), key: await read("ca.key") };
  ofClusterCa = await issueCertificate(ca, ADMINISTRATOR, new Date());
  const [certificate, key] = ["kubelet-client.crt", "kubelet-client.key"].map((name) => join(stateDir, name));
  await writeFile(certificate, ofClientCa.certificate);
  await writeFile(key, ofClientCa.key, { mode: 0o600 });
  const flags = [`--kubelet-client-certificate=${certificate}`, `--kubelet-client-key=${key}`];
  await lab.out("up", ...flags.flatMap((flag) => ["--flag", `kube-apiserver=${flag}`]));
  await remember();
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
  await lab.apply(podOn("worker-1"));
  await lab.kubectl("wait", "pod", "on-worker-1", "--for=condition=Ready", "--timeout=120s");
});

afterAll(async () => {
  await lab.run("kubectl", "delete", "pods", "--all", "--now");
  await lab.run("destroy");
  await lab.shell("worker-1", `sed '/ ${NAME} /d' /etc/hosts >/run/hosts; cat /run/hosts >/etc/hosts; rm /run/hosts`);
  await lab.out("up", "--reset-flags");
});

it("without clientCa, kubelets accept clients of the cluster's CA, and the API server gets no logs", async () => {
  expect(await answerTo(ofClusterCa)).toBe(200);
  expect(await answerTo(ofClientCa)).toBe(401);
  expect((await lab.run("kubectl", "logs", "on-worker-1")).stderr).toContain("provide credentials");
});

it("with clientCa, kubelets accept clients of that CA only, and logs and exec work", async () => {
  await lab.configure((settings) => {
    settings["tls-bootstrap:cluster"].clientCa = clientCa;
  });
  expect(changes(await lab.operate("preview"))).toEqual(["update tls-bootstrap-worker-1-kubelet"]);
  await lab.operate("deploy");
  expect(await answerTo(ofClusterCa)).toBe(401);
  expect(await answerTo(ofClientCa)).toBe(200);
  await eventually(async () => expect(await lab.kubectl("logs", "on-worker-1")).toBe("a line\n"));
  expect(await lab.kubectl("exec", "on-worker-1", "--", "echo", "done")).toBe("done\n");
  expect(await lab.exec("worker-1", "cat", "/etc/kubernetes/pki/kubelet-client-ca.crt")).toBe(clientCa);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a clientCa that is taken back leaves no file", async () => {
  await lab.configure((settings) => {
    delete settings["tls-bootstrap:cluster"].clientCa;
  });
  await lab.operate("deploy");
  expect(await answerTo(ofClusterCa)).toBe(200);
  expect(await lab.shell("worker-1", "ls /etc/kubernetes/pki")).not.toContain("client-ca");
});

describe("another URL of the API server", () => {
  const identities = async () => [
    (await lab.get<any>("node", "worker-1")).metadata.uid,
    await lab.exec("worker-1", "sha256sum", CLIENT_CERTIFICATE),
    (await lab.json<{ tokens: object }>("output")).tokens,
  ];
  const serverOf = () => lab.shell("worker-1", "sed -n 's/^ *server: //p' /etc/kubernetes/kubelet.conf");
  const setServer = (server: string) =>
    lab.configure((settings) => {
      settings["tls-bootstrap:cluster"].server = server;
    });

  beforeAll(async () => {
    const { hostname } = new URL((await lab.facts()).apiServer);
    await lab.shell("worker-1", `echo ${hostname} ${NAME} unknown.example >>/etc/hosts`);
  });

  it("that does not prove itself changes no node", async () => {
    const [before, pid] = [await serverOf(), await lab.kubeletPid("worker-1")];
    await setServer("https://unknown.example:6443");
    const errors = await lab.fails("deploy");
    expect(errors).toContain("worker-1 was not changed: at https://unknown.example:6443 it gets the answer:");
    expect(errors).toContain("x509: certificate is valid for");
    expect([await serverOf(), await lab.kubeletPid("worker-1")]).toEqual([before, pid]);
  });

  it("reaches the kubelet, and replaces no Node, token or identity", async () => {
    const before = await identities();
    await setServer(`https://${NAME}:6443`);
    const preview = changes(await lab.operate("preview"));
    expect(preview.filter((change) => !change.startsWith("update "))).toEqual([]);
    expect(preview).toContain("update tls-bootstrap-worker-1-kubelet");
    const pid = await lab.kubeletPid("worker-1");
    await lab.operate("deploy");
    expect(await serverOf()).toBe(`https://${NAME}:6443\n`);
    expect(await lab.kubeletPid("worker-1")).not.toBe(pid);
    expect(await lab.isReady("worker-1")).toBe(true);
    expect(await identities()).toEqual(before);
    expect((await lab.get<any>("pod", "on-worker-1")).status.containerStatuses[0].restartCount).toBe(0);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("with a CA that has not signed its certificate changes no node, and restarts no kubelet", async () => {
    const pid = await lab.kubeletPid("worker-1");
    const { certificate } = await createAuthority("another-ca", new Date());
    await lab.configure((settings) => {
      settings["tls-bootstrap:cluster"].ca = certificate;
    });
    const errors = await lab.fails("deploy");
    expect(errors).toContain(`worker-1 was not changed: at https://${NAME}:6443 it gets the answer:`);
    expect(errors).toContain("x509: certificate signed by unknown authority");
    expect(await lab.kubeletPid("worker-1")).toBe(pid);
  });
});
