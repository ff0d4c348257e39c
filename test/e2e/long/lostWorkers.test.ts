import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CertificatePair, issueCertificate } from "../../../lab/control-plane/certificates";
import { hostOf } from "../bareWorkers";
import { CLIENT_CERTIFICATE, expectBare } from "../bareHost";
import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/** Workers that are gone, reimaged, renamed, moved, or whose identity is damaged: all by settings, none by changes of the state. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);

beforeAll(async () => {
  await lab.out("up", "--workers", "5"); // the fifth is for a reimaged VM, since the others must stay as they are
  await remember();
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.out("up"); // also what a test has stopped
  await lab.run("destroy");
  await lab.out("up", "--workers", "4");
});

const nodes = async () => (await lab.status()).nodes?.map(({ name, ready }) => [name, ready]);
const untouched = (result: Awaited<ReturnType<typeof lab.operate>>, ...workers: string[]) =>
  expect(changes(result).filter((line) => workers.some((name) => line.includes(`-${name}-`)))).toEqual([]);

describe("a worker whose VM is gone", () => {
  it("is removed by one update without SSH, and the others are not affected", async () => {
    await lab.out("stop", "worker-3", "--kill");
    const sessions = await lab.allSessions(["worker-1", "worker-2"]);
    await configure({ "worker-1": {}, "worker-2": {}, "worker-3": { lost: true } });
    const preview = await lab.operate("preview");
    expect(changes(preview)).toEqual(
      expect.arrayContaining(["delete tls-bootstrap-worker-3-node", "update tls-bootstrap-worker-3-leave"]),
    );
    untouched(preview, "worker-1", "worker-2");
    await lab.operate("deploy");
    expect(await nodes()).toEqual([
      ["worker-1", true],
      ["worker-2", true],
    ]);
    expect(await lab.allSessions(["worker-1", "worker-2"])).toEqual(sessions);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("can lose its line later", async () => {
    await configure({ "worker-1": {}, "worker-2": {} });
    expect(changes(await lab.operate("deploy"))).toEqual(
      expect.arrayContaining(["delete tls-bootstrap-worker-3-leave", "delete tls-bootstrap-worker-3"]),
    );
  });

  it("joins again when it comes back, once the Node is deleted that its kubelet has made anew", async () => {
    await lab.out("start", "worker-3");
    await eventually(async () => expect(await lab.isReady("worker-3")).toBe(true));
    await lab.kubectl("delete", "node", "worker-3");
    await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
    await lab.operate("deploy");
    await eventually(async () => expect(await lab.isReady("worker-3")).toBe(true));
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("a reimaged VM with another host key joins again under its name by one update", async () => {
  const { address } = await hostOf(lab, "worker-5");
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {}, "worker-5": {} });
  await lab.operate("deploy");
  await lab.out("up", "--workers", "4");
  await lab.out("up", "--workers", "5");
  const { hostKey } = await hostOf(lab, "worker-5");
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {}, "worker-5": { address, hostKey } });
  const preview = await lab.operate("preview");
  untouched(preview, "worker-1", "worker-2", "worker-3");
  expect(changes(preview)).toContain("update tls-bootstrap-worker-5-leave");
  await lab.operate("deploy");
  expect(await lab.isReady("worker-5")).toBe(true);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

describe("a damaged identity", () => {
  const members = { "worker-1": {}, "worker-2": {}, "worker-3": {} };
  const truncate = (name: string) => lab.shell(name, `truncate -s 100 $(readlink -f ${CLIENT_CERTIFICATE})`);

  it("is named by an update", async () => {
    await configure(members);
    await lab.operate("deploy");
    await truncate("worker-2");
    await configure({ ...members, "worker-2": { kubelet: { maxPods: 42 } } });
    expect(await lab.fails("deploy")).toContain(
      `worker-2 was not changed: its certificate in ${CLIENT_CERTIFICATE} is damaged`,
    );
  });

  it("is replaced when the generation is raised", async () => {
    await configure({ ...members, "worker-2": { generation: 2 } });
    await lab.operate("deploy");
    expect(await lab.isReady("worker-2")).toBe(true);
    expect((await lab.get<any>("node", "worker-2")).spec.unschedulable).toBeUndefined();
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("that has expired is named, and replaced when the generation is raised", async () => {
    const { stateDir } = await lab.facts();
    const pki = (name: string) => readFile(join(stateDir, "pki", name), "utf8");
    const ca: CertificatePair = { certificate: await pki("ca.crt"), key: await pki("ca.key") };
    const request = { organization: "system:nodes", commonName: "system:node:worker-2" };
    const { certificate, key } = await issueCertificate(ca, request, new Date(Date.now() - 20 * 365 * 86_400_000));
    await lab.shell("worker-2", `cat >$(readlink -f ${CLIENT_CERTIFICATE}) <<'END'\n${certificate}${key}END`);
    await configure({ ...members, "worker-2": { generation: 2, kubelet: { maxPods: 42 } } });
    expect(await lab.fails("deploy")).toContain("worker-2 was not changed: its certificate has expired (20");
    await configure({ ...members, "worker-2": { generation: 3, kubelet: { maxPods: 42 } } });
    await lab.operate("deploy");
    expect(await lab.isReady("worker-2")).toBe(true);
  });

  it("does not keep a worker from being removed", async () => {
    await truncate("worker-3");
    await configure({ "worker-1": {}, "worker-2": { generation: 3, kubelet: { maxPods: 42 } } });
    await lab.operate("deploy");
    expect((await nodes())?.map(([name]) => name)).toEqual(["worker-1", "worker-2"]);
    await expectBare(lab, "worker-3");
  });
});

describe("a worker on a VM of another worker", () => {
  const kept = { "worker-1": {} };

  beforeAll(async () => {
    await configure({ ...kept, "worker-2": { generation: 3 } });
    await lab.operate("deploy");
  });

  it("that is the same worker under another name joins under that name, and the old Node goes", async () => {
    const { address, hostKey } = await hostOf(lab, "worker-2");
    await configure({ ...kept, renamed: { name: "renamed", address, hostKey } });
    const preview = await lab.operate("preview");
    expect(changes(preview)).toEqual(
      expect.arrayContaining(["create tls-bootstrap-renamed-join", "delete tls-bootstrap-worker-2-leave"]),
    );
    await lab.operate("deploy");
    expect(await nodes()).toEqual([
      ["renamed", true],
      ["worker-1", true],
    ]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await configure(kept);
    await lab.operate("deploy");
    await expectBare(lab, "worker-2");
  });

  it("in another pool keeps its Node and runs on", async () => {
    await configure({ ...kept, "worker-2": {} });
    await lab.operate("deploy");
    const before = await lab.kubeletPid("worker-2");
    const { uid } = (await lab.get<any>("node", "worker-2")).metadata;
    await lab.configure((settings) => {
      const [pool] = settings["tls-bootstrap:pools"];
      const moved = pool.workers.pop();
      settings["tls-bootstrap:pools"].push({ ...pool, name: "other", workers: [moved] });
    });
    await lab.operate("deploy");
    const node = await lab.get<any>("node", "worker-2");
    expect(node.metadata.uid).toBe(uid);
    expect(Object.keys(node.metadata.labels)).toContain("node-role.kubernetes.io/other");
    expect(await lab.kubeletPid("worker-2")).toBe(before);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("in a pool that is renamed keeps its Node and runs on", async () => {
    const before = await lab.kubeletPid("worker-1");
    await lab.configure((settings) => {
      settings["tls-bootstrap:pools"][0].name = "main";
    });
    await lab.operate("deploy");
    expect(Object.keys((await lab.get<any>("node", "worker-1")).metadata.labels)).toContain(
      "node-role.kubernetes.io/main",
    );
    expect(await lab.kubeletPid("worker-1")).toBe(before);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("whose VMs are exchanged run on each other's VM", async () => {
    const [one, two] = [await hostOf(lab, "worker-1"), await hostOf(lab, "worker-2")];
    await lab.configure((settings) => {
      const [main, other] = settings["tls-bootstrap:pools"];
      main.workers = [{ ...main.workers[0], ...two }];
      other.workers = [{ ...other.workers[0], ...one }];
    });
    await lab.operate("deploy");
    const addressOf = async (name: string) =>
      (await lab.get<any>("node", name)).status.addresses.find(({ type }: any) => type === "InternalIP").address;
    expect([await addressOf("worker-1"), await addressOf("worker-2")]).toEqual([two.address, one.address]);
    expect((await nodes())?.map(([, ready]) => ready)).toEqual([true, true]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});
