import { changes, eventually, TestLab } from "../testLab";
import { liveTokens, connectWithToken } from "../api";
import { PoolSettings } from "../poolSettings";

/** How tokens end, and what an update does without a valid one. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
jest.setTimeout(600_000);

const CLOCK = "**::tls-bootstrap-worker-token-clock";

const outputs = () => lab.json<{ tokens: Record<string, { id: string }> }>("output");
const holderOf = (name?: string) => connectWithToken(lab, name);

/** The files and the kubelet of a worker, which a failed join must not change. */
const traces = (worker: string) =>
  lab.shell(
    worker,
    "ls -l --time-style=full-iso /etc/kubernetes /var/lib/kubelet; systemctl is-active kubelet; systemctl is-enabled kubelet || true",
  );

beforeAll(async () => {
  await remember();
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.out("up"); // also what a test has stopped
  await lab.run("destroy");
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

  it("cannot be used by a host that has lost its identity, and the error has the command that works", async () => {
    const host = "**::tls-bootstrap-worker-3-host";
    await lab.shell("worker-3", "systemctl stop kubelet; rm -r /var/lib/kubelet/pki /etc/kubernetes/kubelet.conf");
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
