import { changes, eventually, TestLab } from "./testLab";
import { makeRequests } from "../requests/goRequests";
import { type Api, connectWithLiveToken, liveTokens, connectWithToken } from "./api";

/** What the holder of a token can do, and how tokens end. Each test builds on the tests before it. */
const lab = new TestLab();
jest.setTimeout(600_000);

const CLOCK = "**::tls-bootstrap-worker-token-clock";

interface Outputs {
  tokens: Record<string, { id: string; expires: string }>;
  bootstrapKubeconfigs: Record<string, string>;
  clusterInfo: string;
}

const outputs = () => lab.json<Outputs>("output", "--show-secrets");
const holderOf = (name?: string) => connectWithToken(lab, name);
const requestsFor = (...names: string[]): string[] => makeRequests(names).map(([request]) => request);
const pem = (request: string): string => Buffer.from(request, "base64").toString();

let workers: any[];
/** Configures these workers, each with its changes. */
const configure = (members: Record<string, object>, more: Record<string, unknown> = {}) =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers = Object.entries(members).map(([name, change]) => ({
      ...workers.find((worker) => worker.name === name),
      ...change,
    }));
    for (const [key, value] of Object.entries(more)) settings[`tls-bootstrap:${key}`] = value;
  });

/** The files and the kubelet of a worker, which a failed join must not change. */
const traces = (worker: string) =>
  lab.shell(
    worker,
    "ls -l --time-style=full-iso /etc/kubernetes /var/lib/kubelet; systemctl is-active kubelet; systemctl is-enabled kubelet || true",
  );

/** Binds a ClusterRole of the stack to a group. */
const bind = (name: string, group: string) =>
  lab.kubectl(
    "patch",
    "clusterrolebinding",
    `tls-bootstrap-lab:${name}`,
    "--type",
    "merge",
    "-p",
    JSON.stringify({ subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group }] }),
  );

beforeAll(async () => {
  await lab.configure((settings) => {
    workers = settings["tls-bootstrap:pools"][0].workers;
  });
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.out("up"); // also what a test has stopped
  await lab.run("destroy");
});

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
    expect([seen.status, seen.body.data.kubeconfig]).toEqual([200, (await outputs()).clusterInfo]);
    for (const path of [
      "/api/v1/namespaces/kube-public/configmaps",
      "/api/v1/namespaces/kube-public/configmaps/other",
      "/api/v1/namespaces/kube-public/secrets",
      "/api/v1/namespaces/kube-system/secrets",
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/tls-bootstrap-lab-worker-names",
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
    const notOurs = "a token of system:bootstrappers:tls-bootstrap-lab:worker is for the workers of worker only";
    for (const request of [foreign, shorter, longer])
      expect(await refused(request)).toEqual([422, expect.stringContaining(notOurs)]);
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
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/tls-bootstrap-lab-worker-names",
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

describe("the token of a pool whose workers have joined", () => {
  const SECRET = "**::tls-bootstrap-worker-token";
  const isRefused = async () => {
    await eventually(async () => expect(await (await holderOf()).isAccepted()).toBe(false), 15);
    expect(await liveTokens(lab)).toEqual([]);
  };

  it("stays refused after a refresh and other updates, and needs no change", async () => {
    expect(changes(await lab.operate("preview"))).toEqual([]);
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
    await lab.operate("refresh");
    await isRefused();
    expect(changes(await lab.operate("deploy"))).toEqual([]);
    await isRefused();
    // The token cleaner checks all tokens when it starts.
    await lab.out("restart", "kube-controller-manager");
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
  });

  it("stays refused when its revocation is replaced", async () => {
    await lab.operate("deploy", "--replace", `${SECRET}-revoked`);
    await isRefused();
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
  });

  it("is minted and revoked again when a worker is removed", async () => {
    const { tokens } = await outputs();
    await configure({ "worker-1": {}, "worker-2": {} });
    await lab.operate("deploy");
    expect((await outputs()).tokens.worker.id).not.toBe(tokens.worker.id);
    await isRefused();
    await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
    await lab.operate("deploy");
    await isRefused();
  });

  it("cannot be used when the steps of a worker are replaced, and the error has the command that works", async () => {
    const host = "**::tls-bootstrap-worker-3-host";
    const errors = await lab.fails("deploy", "--replace", host);
    expect(errors).toMatch(/refuses bootstrap token \w{6} \(401\)/);
    expect(errors).toContain(`pulumi up --replace "${CLOCK}"`);
    await lab.operate("deploy", "--replace", CLOCK);
    expect(await lab.isReady("worker-3")).toBe(true);
    await lab.operate("deploy", "--replace", CLOCK, "--replace", host);
    expect(await lab.isReady("worker-3")).toBe(true);
    await isRefused();
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("a node cannot change the annotation by which the policy knows it", async () => {
  const annotate = (value: string) =>
    lab.shell(
      "worker-1",
      `. /etc/tls-bootstrap/node.conf; $KUBECTL --kubeconfig /etc/kubernetes/kubelet.conf annotate --overwrite node worker-1 ${value} 2>&1 || true`,
    );
  expect(await annotate("tls-bootstrap/certificate-request=x")).toContain(
    "a node may not change its annotation tls-bootstrap/certificate-request",
  );
  expect(await annotate("tls-bootstrap/certificate-request-")).toContain("a node may not change its annotation");
  expect(await annotate("example.com/other=x")).toContain("node/worker-1 annotated");
  await lab.kubectl("annotate", "node", "worker-1", "example.com/other-");
});

describe("a token whose Secret was deleted", () => {
  const secretOf = (id: string) => ["secret", "-n", "kube-system", `bootstrap-token-${id}`];

  it("needs no change", async () => {
    const { tokens } = await outputs();
    await lab.kubectl("delete", ...secretOf(tokens.worker.id));
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("is created again by an update with a refresh, revoked, and no worker changes", async () => {
    const back = ["create tls-bootstrap-worker-token", "create tls-bootstrap-worker-token-revoked"];
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual(back);
    await lab.operate("deploy", "--refresh");
    await eventually(async () => expect(await (await holderOf()).isAccepted()).toBe(false), 15);
    expect(await liveTokens(lab)).toEqual([]);
    expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
  });
});

describe("a worker whose token ends before it joins", () => {
  const members = { "worker-1": {}, "worker-2": {}, "worker-3": {}, "worker-4": {} };

  it("fails at once, with the token's id and the command that mints a new one, and the host does not change", async () => {
    // A wrong address fails the preflight, so that the new token is not used. The sleep delays the failure, since a failed update starts
    // nothing more, and would not create the token.
    const sudo = "/usr/local/bin/sudo";
    await lab.shell("worker-4", `printf '#!/bin/sh\\nsleep 8; exec /usr/bin/sudo "$@"\\n' >${sudo}; chmod +x ${sudo}`);
    await configure({ ...members, "worker-4": { nodeAddress: "192.0.2.1" } });
    const token = await eventually(async () => {
      await lab.fails("deploy");
      const [minted] = await liveTokens(lab);
      expect(minted).toBeDefined();
      return minted;
    }, 240);
    await lab.exec("worker-4", "rm", sudo);
    const id = Buffer.from(token.data["token-id"], "base64").toString();
    const secret = Buffer.from(token.data["token-secret"], "base64").toString();
    // The token expires, and the token cleaner deletes it.
    await expire(id);
    await eventually(
      () => expect(lab.kubectl("get", "secret", "-n", "kube-system", `bootstrap-token-${id}`)).rejects.toThrow(),
      30,
    );

    await configure(members);
    const errors = await lab.fails("deploy");
    expect(errors).toContain(`refuses bootstrap token ${id} (401): it has expired or was revoked`);
    expect(errors).toContain(`pulumi up --replace "${CLOCK}"`);
    expect(errors).not.toContain(secret);
    const before = await traces("worker-4");
    expect(before).not.toMatch(/bootstrap-kubelet.conf|kubelet.conf|pki\/kubelet|^active$/m);
    const begin = Date.now();
    await lab.fails("deploy");
    expect(Date.now() - begin).toBeLessThan(90_000); // a join that waits for its certificate takes minutes
    expect(await traces("worker-4")).toBe(before);
  });

  it("joins with that command, and no other worker is affected", async () => {
    const others = ["worker-1", "worker-2", "worker-3"];
    const sessions = await lab.allSessions(others);
    const pids = await Promise.all(others.map((name) => lab.kubeletPid(name)));
    const result = await lab.operate("deploy", "--replace", CLOCK);
    expect(changes(result).filter((line) => /worker-[123]-/.test(line))).toEqual([]);
    expect(await lab.isReady("worker-4")).toBe(true);
    expect(await lab.allSessions(others)).toEqual(sessions);
    expect(await Promise.all(others.map((name) => lab.kubeletPid(name)))).toEqual(pids);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("fails the same way when the token expires while it waits for its certificate", async () => {
    await lab.out("stop", "kube-controller-manager");
    await configure({ ...members, "worker-4": { generation: 2 } });
    const deploying = lab.fails("deploy");
    await eventually(async () => {
      const { items } = await lab.get<{ items: any[] }>("csr");
      expect(items.some(({ status }) => !status.conditions)).toBe(true);
    }, 60);
    const [newest] = await liveTokens(lab);
    const id = Buffer.from(newest.data["token-id"], "base64").toString();
    await expire(id);
    const errors = await deploying;
    expect(errors).toContain(`refuses bootstrap token ${id} (401)`);
    expect(errors).toContain(`pulumi up --replace "${CLOCK}"`);
    await lab.out("start", "kube-controller-manager");
    await lab.operate("deploy", "--replace", CLOCK);
    expect(await lab.isReady("worker-4")).toBe(true);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

describe("an error names a missing or wrong ClusterRoleBinding", () => {
  let generation = 2;
  const members = { "worker-1": {}, "worker-2": {}, "worker-3": {} };
  const join = () => configure({ ...members, "worker-4": { generation: ++generation } });

  it.each([
    [
      "create-csrs",
      "system:bootstrappers:tls-bootstrap-lab:worker",
      "may not request certificates",
      "system:node-bootstrapper",
    ],
    [
      "approve-first-certificates",
      "system:bootstrappers:tls-bootstrap-lab:worker",
      "would not be approved",
      "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    ],
    [
      "approve-renewals",
      "system:nodes",
      "worker-4 has joined, but its certificate would not be renewed",
      "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    ],
  ])("%s", async (name, subject, problem, role) => {
    await bind(name, "system:somebody-else");
    await join();
    const errors = await lab.fails("deploy");
    expect(errors).toContain(problem);
    expect(errors).toContain(`no ClusterRoleBinding in force binds ClusterRole ${role} to`);
    await bind(name, subject);
    await lab.operate("deploy");
    expect(await lab.isReady("worker-4")).toBe(true);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("a join that the policy refuses reports the API server's message", async () => {
  const policy = ["validatingadmissionpolicy", "tls-bootstrap-lab-worker-names"];
  const { variables } = (await lab.get<any>(...policy)).spec;
  const names = (expression: string) =>
    lab.kubectl(
      "patch",
      ...policy,
      "--type=json",
      "-p",
      JSON.stringify([{ op: "replace", path: "/spec/variables/1/expression", value: expression }]),
    );
  await names("[]");
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {}, "worker-4": { generation: 9 } });
  const errors = await lab.fails("deploy");
  expect(errors).toContain("the API server does not let worker-4 request a certificate: ");
  expect(errors).toContain(
    "a token of system:bootstrappers:tls-bootstrap-lab:worker is for the workers of worker only",
  );
  await names(variables[1].expression);
  await lab.operate("deploy");
  expect(await lab.isReady("worker-4")).toBe(true);
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
        "a token of system:bootstrappers:tls-bootstrap-lab:burst is for names that begin with 'burst-' only",
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

/** Lets a token expire. */
const expire = (id: string) =>
  lab.kubectl(
    "patch",
    "secret",
    "-n",
    "kube-system",
    `bootstrap-token-${id}`,
    "--type",
    "merge",
    "-p",
    JSON.stringify({ stringData: { expiration: "2020-01-01T00:00:00Z" } }),
  );
