import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { caPins, discoverScript } from "../../../components";
import { createAuthority } from "../../../lab/control-plane/certificates";
import {
  initWithKubeadm,
  KUBEADM_SIGNATURE,
  kubeadmClusterInfo,
  kubeadmRbac,
  removeKubeadmObjects,
  requireKubeadm,
} from "../kubeadm";
import { connectWithToken, destroyWithTokens, liveTokens } from "../api";
import { changes, eventually, TestLab } from "../testLab";

/**
 * kube-public/cluster-info, as kubeadm's own discovery sees it. kubeadm is built from the Kubernetes module, and runs only its first phase,
 * which does the discovery.
 */
const lab = new TestLab();
const DOCUMENT = ["configmap", "-n", "kube-public", "cluster-info"];
const OUR_ROLE = "tls-bootstrap-lab-cluster-info:read";
let kubeadm: string;
let ca: string;
let token: string;

const read = async () => (await lab.get<{ data: Record<string, string> }>(...DOCUMENT)).data;
const write = (data: Record<string, string | null>) =>
  lab.kubectl("patch", ...DOCUMENT, "--type", "merge", "-p", JSON.stringify({ data }));

/** The output of kubeadm's discovery with this pin. */
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
  const { stateDir } = await lab.facts();
  kubeadm = await requireKubeadm(lab);
  ca = await readFile(join(stateDir, "pki", "ca.crt"), "utf8");
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(1);
    settings["tls-bootstrap:scaleGroups"] = [{ name: "burst", namePrefix: "burst-" }]; // whose token stays valid
  });
  await lab.operate("deploy");
  token = (await connectWithToken(lab, "burst")).token!;
  await eventually(async () => expect(Object.keys(await read())).toContain(`jws-kubeconfig-${token.slice(0, 6)}`));
});

afterAll(async () => {
  await lab.out("up");
  await destroyWithTokens(lab);
  await removeKubeadmObjects(lab);
});

describe("kubeadm's discovery", () => {
  it("accepts the stack's document, with token and CA pin", async () => {
    const text = await discover(caPins(ca)[0]);
    expect(text).toContain(FOUND);
    expect(text).toContain(PINNED);
  });

  it("refuses a wrong pin", async () => {
    const text = await discover(`sha256:${"0".repeat(64)}`);
    expect(text).toContain("none of the public keys");
    expect(text).not.toContain(PINNED);
  });

  it("refuses a document with a wrong signature or none", async () => {
    await lab.out("stop", "kube-controller-manager"); // or the signer would repair it at once
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

describe("discover.sh, on a machine that has only the pin of the CA", () => {
  const discoverOn = async (worker: string, ...args: string[]) =>
    lab.run("exec", worker, "--", "sh", "-c", discoverScript(), "discover.sh", (await lab.facts()).apiServer, ...args);
  const wrong = `sha256:${"0".repeat(64)}`;

  it("prints the CA that has the pin", async () => {
    const { stdout } = await discoverOn("worker-2", wrong, caPins(ca)[0]);
    expect(stdout.trim()).toBe(ca.trim());
  });

  it("refuses a CA with another pin", async () => {
    const { status, stdout, stderr } = await discoverOn("worker-2", wrong);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("no CA certificate in cluster-info of https://");
  });

  it("ignores other CAs in a bundle, and verifies the server with the pinned one", async () => {
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

it("an added CA updates the document in place, and the node stays", async () => {
  const { uid } = (await lab.get<any>("node", "worker-1")).metadata;
  const before = (await lab.get<any>(...DOCUMENT)).metadata.uid;
  const other = await createAuthority("next-ca", new Date());
  let trusted = "";
  await lab.configure((settings) => {
    trusted = settings["tls-bootstrap:cluster"].ca;
    settings["tls-bootstrap:cluster"].ca = `${trusted.trim()}\n${other.certificate}`;
  });
  const preview = await lab.operate("preview");
  expect(changes(preview)).toEqual(["update tls-bootstrap-lab-cluster-info", "update tls-bootstrap-worker-1-kubelet"]);
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

it("a destroy deletes the document and its Role", async () => {
  await lab.operate("destroy");
  expect((await lab.run("kubectl", "get", ...DOCUMENT)).stderr).toContain('configmaps "cluster-info" not found');
  expect(await lab.kubectl("get", "roles,rolebindings", "-n", "kube-public", "-o", "name")).not.toContain(OUR_ROLE);
});

describe("several stacks on a cluster", () => {
  const PROGRAM = join(__dirname, "..", "programs", "publisher");

  async function stackOf(name: string, change: Record<string, string> = {}): Promise<string[]> {
    const { apiServer, kubeconfig } = await lab.facts();
    const config = { "publisher:kubeconfig": kubeconfig, "publisher:server": apiServer, "publisher:ca": ca, ...change };
    return ["--program", PROGRAM, "--stack", name, "--config-file", await lab.configFile(name, () => config)];
  }

  it("publish the same document, which stays until the last of them is destroyed", async () => {
    const [blue, green] = [await stackOf("blue"), await stackOf("green")];
    await lab.operate("deploy", ...blue);
    const { kubeconfig } = await read();
    await lab.operate("deploy", ...green);
    expect(await lab.json("output", ...green)).toEqual({ published: kubeconfig });
    for (const stack of [blue, green])
      for (const refresh of [[], ["--refresh"]])
        expect(changes(await lab.operate("preview", ...refresh, ...stack))).toEqual([]);

    // Not compared: the signatures, which follow the live tokens of the cluster.
    await lab.operate("destroy", ...blue);
    expect(await read()).toMatchObject({ kubeconfig });
    expect(changes(await lab.operate("preview", "--refresh", ...green))).toEqual([]);

    await lab.operate("deploy", ...blue);
    await lab.operate("destroy", ...green);
    expect(await read()).toMatchObject({ kubeconfig });
    await lab.operate("destroy", ...blue);
    expect((await lab.run("kubectl", "get", ...DOCUMENT)).stderr).toContain("not found");
  });

  it("can add a CA one after the other", async () => {
    const rolled = { "publisher:ca": `${ca.trim()}\n${(await createAuthority("next-ca", new Date())).certificate}` };
    for (const name of ["blue", "green"]) await lab.operate("deploy", ...(await stackOf(name)));
    const before = (await read()).kubeconfig;
    await lab.operate("deploy", ...(await stackOf("blue", rolled)));
    const { kubeconfig } = await read();
    expect(kubeconfig).not.toBe(before);
    await lab.operate("deploy", ...(await stackOf("green", rolled)));
    expect(await read()).toMatchObject({ kubeconfig });
    for (const name of ["blue", "green"]) {
      expect(changes(await lab.operate("preview", "--refresh", ...(await stackOf(name, rolled))))).toEqual([]);
      await lab.operate("destroy", ...(await stackOf(name, rolled)));
    }
    expect((await lab.run("kubectl", "get", ...DOCUMENT)).stderr).toContain("not found");
  });
});

describe("on a cluster that kubeadm made", () => {
  let rbac: Awaited<ReturnType<typeof kubeadmRbac>>;
  let document: Awaited<ReturnType<typeof kubeadmClusterInfo>>;

  beforeAll(async () => {
    await initWithKubeadm(lab);
    [rbac, document] = [await kubeadmRbac(lab), await kubeadmClusterInfo(lab)];
  });

  async function expectUntouched(): Promise<void> {
    expect(await kubeadmClusterInfo(lab)).toEqual(document);
    expect(await kubeadmRbac(lab)).toEqual(rbac);
  }

  it("workers join with the default settings, and all objects of kubeadm stay unchanged", async () => {
    await lab.operate("deploy");
    expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([["worker-1", true]]);
    await expectUntouched();
    expect(await lab.json("output")).toMatchObject({ clusterInfo: document.data.kubeconfig });
    expect(changes(await lab.operate("preview"))).toEqual([]);
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
  });

  it("kubeadm's discovery accepts a token of this stack", async () => {
    token = (await connectWithToken(lab, "burst")).token!;
    await eventually(async () => expect(await discover(caPins(ca)[0])).toContain(FOUND));
  });

  it("the document stays kubeadm's, with any server and CA in it", async () => {
    const signature = document.data[KUBEADM_SIGNATURE];
    await write({ kubeconfig: document.data.kubeconfig.replace("https://", "https://other.") });
    await eventually(async () => {
      document = await kubeadmClusterInfo(lab);
      expect(document.data[KUBEADM_SIGNATURE]).not.toBe(signature);
    });
    await lab.configure((settings) => {
      settings["tls-bootstrap:cluster"].ca = `${ca.trim()}\n${ca}`;
    });
    await lab.operate("deploy", "--refresh");
    await expectUntouched();
    await lab.configure((settings) => {
      settings["tls-bootstrap:cluster"].ca = ca;
    });
    await lab.operate("deploy");
    await expectUntouched();
  });

  it("clusterInfo: off deletes this stack's Role and binding, and leaves the rest", async () => {
    await lab.configure((settings) => {
      settings["tls-bootstrap:clusterInfo"] = "off";
    });
    await lab.operate("deploy");
    expect(await lab.kubectl("get", "roles,rolebindings", "-n", "kube-public", "-o", "name")).not.toContain(OUR_ROLE);
    await expectUntouched();
    await lab.configure((settings) => {
      delete settings["tls-bootstrap:clusterInfo"];
    });
    await lab.operate("deploy");
    await expectUntouched();
  });

  it("a destroy leaves the document as kubeadm made it", async () => {
    await lab.operate("destroy");
    await expectUntouched();
    // The scale group's tokens stay valid.
    const signing = (await liveTokens(lab)).filter(({ data }) => data["usage-bootstrap-signing"] === btoa("true"));
    const ids = signing.map(({ data }) => atob(data["token-id"]));
    const keys = ["kubeconfig", ...ids.map((id) => `jws-kubeconfig-${id}`)].sort();
    await eventually(async () => expect(Object.keys(await read()).sort()).toEqual(keys));
  });
});
