import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { caPins, discoverScript } from "../../components";
import { createAuthority } from "../../lab/control-plane/certificates";
import { findBinary } from "../../lab/builds/kubernetes/binaries";
import { changes, eventually, TestLab } from "./testLab";

/**
 * kube-public/cluster-info, as kubeadm's own discovery sees it. That is built from the Kubernetes module; what it is to do behind discovery does not matter
 * here, so it runs its first phase only.
 */
const lab = new TestLab();
const DOCUMENT = ["configmap", "-n", "kube-public", "cluster-info"];
let kubeadm: string;
let ca: string;
let token: string;

const read = async () => (await lab.get<{ data: Record<string, string> }>(...DOCUMENT)).data;
const write = (data: Record<string, string | null>) =>
  lab.kubectl("patch", ...DOCUMENT, "--type", "merge", "-p", JSON.stringify({ data }));

/** What kubeadm's discovery says, with this pin and token. */
async function discover(pin: string): Promise<string> {
  const { stateDir, apiServer } = await lab.facts();
  const file = join(stateDir, "kubeadm.yaml");
  const config = {
    apiVersion: "kubeadm.k8s.io/v1beta4",
    kind: "JoinConfiguration",
    nodeRegistration: { name: "discoverer", criSocket: "unix:///run/none.sock" },
    timeouts: { discovery: "8s", kubernetesAPICall: "5s" },
    discovery: {
      bootstrapToken: { token, apiServerEndpoint: new URL(apiServer).host, caCertHashes: [pin] },
      tlsBootstrapToken: token,
    },
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  const args = ["join", "phase", "preflight", "--config", file, "--ignore-preflight-errors", "all", "-v", "1"];
  return new Promise((done) => {
    execFile(kubeadm, args, { timeout: 120_000, env: { PATH: process.env.PATH } }, (_, stdout, stderr) =>
      done(stdout + stderr),
    );
  });
}

const FOUND = "Cluster info signature and contents are valid";
const PINNED = "TLS certificate validates against pinned roots";

beforeAll(async () => {
  const { kubernetesVersion, stateDir } = await lab.facts();
  await lab.out("binaries", "kubeadm");
  kubeadm = (await findBinary("kubeadm", kubernetesVersion))!;
  ca = await readFile(join(stateDir, "pki", "ca.crt"), "utf8");
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(1);
  });
  await lab.operate("deploy");
  const { bootstrapKubeconfigs } = await lab.json<any>("output", "--show-secrets");
  token = /token: (\S+)/.exec(bootstrapKubeconfigs.worker as string)![1];
  await eventually(async () => expect(Object.keys(await read())).toContain(`jws-kubeconfig-${token.slice(0, 6)}`));
});

afterAll(async () => {
  await lab.out("up");
  await lab.run("destroy");
  await lab.run("kubectl", "delete", ...DOCUMENT, "--ignore-not-found");
});

describe("kubeadm's discovery", () => {
  it("accepts ours with token and CA pin", async () => {
    const text = await discover(caPins(ca)[0]);
    expect(text).toContain(FOUND);
    expect(text).toContain(PINNED);
  });

  it("refuses a wrong pin", async () => {
    const text = await discover(`sha256:${"0".repeat(64)}`);
    expect(text).toContain("none of the public keys");
    expect(text).not.toContain(PINNED);
  });

  it("refuses a signature that is not of this document, and a document without one", async () => {
    await lab.out("stop", "kube-controller-manager"); // the signer would mend it at once
    const { [`jws-kubeconfig-${token.slice(0, 6)}`]: signature, kubeconfig } = await read();
    const key = `jws-kubeconfig-${token.slice(0, 6)}`;
    try {
      await write({ kubeconfig: kubeconfig.replace("https://", "https://evil.") });
      expect(await discover(caPins(ca)[0])).not.toContain(FOUND);
      await write({ kubeconfig, [key]: signature.replace(/.$/, (last) => (last === "A" ? "B" : "A")) });
      expect(await discover(caPins(ca)[0])).not.toContain(FOUND);
      await write({ [key]: null });
      expect(await discover(caPins(ca)[0])).not.toContain(FOUND);
      await write({ [key]: signature });
      expect(await discover(caPins(ca)[0])).toContain(FOUND);
    } finally {
      await lab.out("start", "kube-controller-manager");
    }
  });
});

describe("our own discovery, of a machine that knows the pin of the CA only", () => {
  const discoverOn = async (worker: string, ...args: string[]) =>
    lab.run("exec", worker, "--", "sh", "-c", discoverScript(), "discover.sh", (await lab.facts()).apiServer, ...args);
  const wrong = `sha256:${"0".repeat(64)}`;

  it("prints the CA that has the pin", async () => {
    const { stdout } = await discoverOn("worker-2", wrong, caPins(ca)[0]);
    expect(stdout.trim()).toBe(ca.trim());
  });

  it("refuses a CA that has another", async () => {
    const { status, stdout, stderr } = await discoverOn("worker-2", wrong);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("no CA certificate in cluster-info of https://");
  });

  it("drops what is beside the pinned one in a bundle, and wants the server to prove itself with it", async () => {
    await lab.out("stop", "kube-controller-manager");
    const { kubeconfig } = await read();
    const other = (await createAuthority("other-ca", new Date())).certificate;
    const bundle = (text: string) =>
      kubeconfig.replace(/(certificate-authority-data: ).*/, `$1${Buffer.from(text).toString("base64")}`);
    try {
      await write({ kubeconfig: bundle(`${other.trim()}\n${ca}`) });
      expect((await discoverOn("worker-2", ...caPins(ca))).stdout.trim()).toBe(ca.trim());
      const { status, stdout, stderr } = await discoverOn("worker-2", ...caPins(other));
      expect([status, stdout]).toEqual([1, ""]);
      expect(stderr).toContain("does not prove itself with the pinned CA");
    } finally {
      await write({ kubeconfig });
      await lab.out("start", "kube-controller-manager");
    }
  });
});

it("a CA that is added rolls in place: the document is never gone, and the node stays", async () => {
  const { uid } = (await lab.get<any>("node", "worker-1")).metadata;
  const before = (await lab.get<any>(...DOCUMENT)).metadata.uid;
  const other = await createAuthority("next-ca", new Date());
  let trusted = "";
  await lab.configure((settings) => {
    trusted = settings["tls-bootstrap:cluster"].ca;
    settings["tls-bootstrap:cluster"].ca = `${trusted.trim()}\n${other.certificate}`;
  });
  const preview = await lab.operate("preview");
  expect(changes(preview)).toEqual(["update tls-bootstrap-cluster-info", "update tls-bootstrap-worker-1-kubelet"]);
  await lab.operate("deploy");
  expect((await lab.get<any>(...DOCUMENT)).metadata.uid).toBe(before);
  const kubeconfig = (await read()).kubeconfig;
  const data = /certificate-authority-data: (\S+)/.exec(kubeconfig)![1];
  expect(caPins(Buffer.from(data, "base64").toString())).toEqual([...caPins(trusted), ...caPins(other.certificate)]);
  expect((await lab.get<any>("node", "worker-1")).metadata.uid).toBe(uid);
  expect(await lab.shell("worker-1", "grep -c BEGIN /etc/kubernetes/pki/ca.crt")).toBe("2\n");
  await eventually(async () => expect(await discover(caPins(ca)[0])).toContain(FOUND));
  await lab.configure((settings) => {
    settings["tls-bootstrap:cluster"].ca = trusted;
  });
  await lab.operate("deploy");
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

describe("a cluster-info that another installer made", () => {
  beforeAll(async () => {
    await lab.operate("destroy");
    await lab.kubectl("create", ...DOCUMENT, "--from-literal=kubeconfig=theirs", "--from-literal=more=kept");
  });

  it("is not overwritten by mistake", async () => {
    expect(await lab.fails("deploy")).toMatch(/already exists/);
    expect(await read()).toMatchObject({ kubeconfig: "theirs", more: "kept" });
    await lab.run("destroy");
    expect(await read()).toMatchObject({ kubeconfig: "theirs", more: "kept" });
  });

  it("is left alone when it is off, and the workers join all the same", async () => {
    await lab.configure((settings) => {
      settings["tls-bootstrap:clusterInfo"] = "off";
    });
    await lab.operate("deploy");
    expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([["worker-1", true]]);
    expect(await read()).toMatchObject({ kubeconfig: "theirs", more: "kept" });
  });

  it("is adopted when asked: its kubeconfig is ours, the rest theirs, also after a destroy", async () => {
    await lab.configure((settings) => {
      settings["tls-bootstrap:clusterInfo"] = "adopt";
    });
    await lab.operate("deploy");
    const { clusterInfo } = await lab.json<{ clusterInfo: string }>("output");
    expect(await read()).toMatchObject({ kubeconfig: clusterInfo, more: "kept" });
    expect(changes(await lab.operate("preview"))).toEqual([]);
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
    await lab.operate("destroy");
    expect(await read()).toMatchObject({ kubeconfig: clusterInfo, more: "kept" });
    await lab.configure((settings) => {
      delete settings["tls-bootstrap:clusterInfo"];
    });
  });
});
