import { changes, eventually, TestLab } from "./testLab";
import { makeRequests } from "../requests/goRequests";
import { type Api, connectWithLiveToken, liveTokens, connectWithToken } from "./api";
import { PoolSettings } from "./poolSettings";
import { WORKER_LABEL } from "../../components/cluster/names";

/** What the holder of a token can do. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure, bind } = new PoolSettings(lab);
jest.setTimeout(600_000);

const holderOf = (name?: string) => connectWithToken(lab, name);
const requestsFor = (...names: string[]): string[] => makeRequests(names).map(([request]) => request);
const pem = (request: string): string => Buffer.from(request, "base64").toString();

beforeAll(async () => {
  await remember();
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
});

afterAll(() => lab.run("destroy"));

it("a policy that is deleted and created again has the current names", async () => {
  await lab.operate("destroy");
  await new Promise((resume) => setTimeout(resume, 3000)); // the API server reads its policies every second
  await configure({ "worker-1": {}, "worker-2": {} });
  await lab.operate("deploy");
  expect((await lab.status()).nodes?.map(({ ready }) => ready)).toEqual([true, true]);
});

describe("anonymous access", () => {
  it("is allowed to cluster-info only", async () => {
    await lab.kubectl("create", "configmap", "other", "-n", "kube-public");
    const api = await holderOf();
    const status = async (path: string) => (await api.anonymously(path)).status;
    const seen = await api.anonymously("/api/v1/namespaces/kube-public/configmaps/cluster-info");
    expect([seen.status, seen.body.data.kubeconfig]).toEqual([
      200,
      (await lab.json<{ clusterInfo: string }>("output")).clusterInfo,
    ]);
    for (const path of [
      "/api/v1/namespaces/kube-public/configmaps",
      "/api/v1/namespaces/kube-public/configmaps/other",
      "/api/v1/namespaces/kube-public/secrets",
      "/api/v1/namespaces/kube-system/secrets",
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/tls-bootstrap-lab-names",
      "/api/v1/nodes",
      "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    ])
      expect([path, await status(path)]).toEqual([path, 403]);
    await lab.kubectl("delete", "configmap", "other", "-n", "kube-public");
  });
});

describe("a stolen token", () => {
  let api: Api;

  beforeAll(async () => {
    // The request of worker-3 is not approved. A failed join keeps the token.
    await bind("approve-first-certificates", "system:somebody-else");
    await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
    expect(await lab.fails("deploy")).toContain("would not be approved");
    await bind("approve-first-certificates", "system:bootstrappers:tls-bootstrap-lab:worker");
    api = await connectWithLiveToken(lab);
  });

  it("expires within an hour", async () => {
    const [{ data }, ...others] = await liveTokens(lab);
    expect(others).toEqual([]);
    expect(Date.parse(atob(data.expiration)) - Date.now()).toBeLessThan(3_600_000);
    expect(await api.isAccepted()).toBe(true);
  });

  it("cannot claim a Ready node, an undeclared name or another signer", async () => {
    const [ready, foreign, shorter, longer] = requestsFor("worker-1", "master-1", "worker-", "worker-11");
    const refused = async (request: string, signer?: string) => {
      const { status, body } = await api.askFor(request, signer);
      return [status, body.message];
    };
    expect(await refused(ready)).toEqual([422, expect.stringContaining("node worker-1 is Ready")]);
    const notOurs = (node: string) => `asks for node '${node}': a token of worker may ask for its nodes only`;
    expect(await refused(foreign)).toEqual([422, expect.stringContaining(notOurs("master-1"))]);
    expect(await refused(longer)).toEqual([422, expect.stringContaining(notOurs("worker-11"))]);
    expect(await refused(shorter)).toEqual([422, expect.stringContaining("as a kubelet does only")]);
    const signers = ["kubernetes.io/kube-apiserver-client", "kubernetes.io/kubelet-serving", "example.com/any"];
    for (const signer of signers)
      expect(await refused(foreign, signer)).toEqual([
        422,
        expect.stringMatching(
          // Either of two policies may refuse first.
          /is for certificates of kubelets \(kubernetes\.io\/kube-apiserver-client-kubelet\) only|a bootstrap token is not for serving certificates/,
        ),
      ]);
  });

  it("cannot read Secrets, Nodes, Pods or policies", async () => {
    for (const path of [
      "/api/v1/namespaces/kube-system/secrets",
      "/api/v1/secrets",
      "/api/v1/nodes",
      "/api/v1/nodes/worker-1",
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/tls-bootstrap-lab-names",
      "/api/v1/pods",
    ])
      expect([path, (await api.call("GET", path)).status]).toEqual([path, 403]);
  });

  it("can claim a declared node that is not Ready, but cannot hide a second request in the first", async () => {
    await lab.exec("worker-2", "systemctl", "stop", "kubelet");
    await eventually(async () => expect(await lab.isReady("worker-2")).toBe(false), 120);
    const [own, foreign] = requestsFor("worker-2", "master-1");
    for (const text of [
      pem(own).replace(/\nMI/, "\nM!") + pem(foreign),
      pem(own).replace(/.\n-----END/, "!\n-----END") + pem(foreign),
      pem(own).replace("BEGIN", "BEGXN") + pem(foreign),
      `${pem(own)}\n${pem(foreign)}`,
    ])
      expect((await api.askFor(Buffer.from(text).toString("base64"))).status).toBe(422);
    const { status, body } = await api.askFor(own);
    expect(status).toBe(201);
    await lab.kubectl("delete", "csr", body.metadata.name);
    await lab.exec("worker-2", "systemctl", "start", "kubelet");
    await eventually(async () => expect(await lab.isReady("worker-2")).toBe(true));
  });

  it("cannot claim a Ready node whose Node somebody has deleted, so that its kubelet has made it anew", async () => {
    await lab.kubectl("delete", "node", "worker-1");
    await lab.exec("worker-1", "systemctl", "restart", "kubelet");
    await eventually(async () => expect(await lab.isReady("worker-1")).toBe(true));
    expect((await lab.get<any>("node", "worker-1")).metadata.labels).not.toHaveProperty([WORKER_LABEL]);
    const [ready] = requestsFor("worker-1");
    const { status, body } = await api.askFor(ready);
    expect([status, body.message]).toEqual([422, expect.stringContaining("node worker-1 is Ready")]);
  });

  it("does not prevent an honest join", async () => {
    const result = await lab.operate("deploy");
    expect(changes(result).filter((line) => /worker-[12]-/.test(line))).toEqual([]);
    expect(await lab.isReady("worker-3")).toBe(true);
  });

  it("is refused within 15 s after the update with which the last worker joins", async () => {
    const begin = Date.now();
    await eventually(async () => expect(await api.isAccepted()).toBe(false), 30);
    expect(Date.now() - begin).toBeLessThan(15_000);
    expect(await liveTokens(lab)).toEqual([]);
  });
});

it("a Node that its kubelet has made anew gets its labels back by an update with a refresh", async () => {
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(changes(await lab.operate("preview", "--refresh"))).toEqual([
    "update tls-bootstrap-worker-1-labels",
    "update tls-bootstrap-worker-1-node",
  ]);
  await lab.operate("deploy", "--refresh");
  expect((await lab.get<any>("node", "worker-1")).metadata.labels).toHaveProperty([WORKER_LABEL], "tls-bootstrap-lab");
  expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
});

describe("a scale group", () => {
  beforeAll(async () => {
    await configure({ "worker-1": {} }, { scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
    await lab.operate("deploy");
  });

  it("has a token for names with its prefix only, whose requests are approved", async () => {
    const api = await holderOf("burst");
    const [mine, longest, worker, near, bare] = requestsFor(
      "burst-1",
      `burst-${"a".repeat(57)}`,
      "worker-9",
      "bursu-1",
      "burst-".slice(0, -1),
    );
    for (const request of [worker, near, bare])
      expect((await api.askFor(request)).body.message).toContain(
        "a token of burst may ask for names that begin with 'burst-' only",
      );
    for (const request of [mine, longest]) {
      const { status, body } = await api.askFor(request);
      expect([status, body.message]).toEqual([201, undefined]);
      const name = body.metadata.name as string;
      await eventually(async () => expect((await lab.get<any>("csr", name)).status.certificate).toBeTruthy(), 20);
      await lab.kubectl("delete", "csr", name);
    }
  });

  it("renews its token at half of its ttl and keeps the retired one, which has no rights after a destroy", async () => {
    const retired = await holderOf("burst");
    await lab.ageCertificate("tls-bootstrap-burst-token-clock", 35);
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await lab.ageCertificate("tls-bootstrap-burst-token-clock", 2);
    const preview = changes(await lab.operate("preview"));
    expect(preview).not.toEqual([]);
    expect(preview.filter((line) => !line.includes("tls-bootstrap-burst-token"))).toEqual([]);
    await lab.operate("deploy");
    expect(changes(await lab.operate("preview"))).toEqual([]);
    const current = await holderOf("burst");
    expect(current.token).not.toBe(retired.token);
    expect([await retired.isAccepted(), await current.isAccepted()]).toEqual([true, true]);
    await lab.operate("destroy");
    expect(await retired.isAccepted()).toBe(true);
    expect((await retired.askFor(requestsFor("burst-1")[0])).status).toBe(403);
    const secrets = await lab.kubectl("get", "secrets", "-n", "kube-system", "-o", "name");
    const left = secrets.split("\n").filter((line) => line.includes("bootstrap-token-"));
    expect(left).toHaveLength(2);
    await lab.kubectl("delete", "-n", "kube-system", ...left);
  });
});
