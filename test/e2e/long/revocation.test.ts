import { type Api, connectWithLiveToken, liveTokens } from "../api";
import { killCli, startDeployment } from "../killedDeployment";
import { changes, eventually, TestLab } from "../testLab";

/** A pool's token ends also when an update fails, is killed, or removes the pool. Each test builds on the tests before it. */
const lab = new TestLab();

let pool: any;
/** Configures pools with these workers, each with its changes. */
const configure = (pools: Record<string, Record<string, object>>) =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"] = Object.entries(pools).map(([poolName, members]) => ({
      ...pool,
      name: poolName,
      workers: Object.entries(members).map(([name, change]) => ({
        ...pool.workers.find((worker: any) => worker.name === name),
        ...change,
      })),
    }));
  });

const readiness = async () => (await lab.status()).nodes?.map(({ name, ready }) => [name, ready]);

async function expectRefused(api: Api): Promise<void> {
  await eventually(async () => expect(await api.isAccepted()).toBe(false), 15);
  expect(await liveTokens(lab)).toEqual([]);
}

const groupsOf = (...pools: string[]) =>
  pools.map((name) => ({
    apiGroup: "rbac.authorization.k8s.io",
    kind: "Group",
    name: `system:bootstrappers:tls-bootstrap-lab:${name}`,
  }));

/** Approves the requests of these pools only. */
const approveRequestsOf = (...pools: string[]) =>
  lab.kubectl(
    ...["patch", "clusterrolebinding", "tls-bootstrap-lab:approve-first-certificates", "--type", "merge"],
    ...["-p", JSON.stringify({ subjects: groupsOf(...pools) })],
  );

beforeAll(async () => {
  await lab.configure((settings) => {
    pool = settings["tls-bootstrap:pools"][0];
  });
  await configure({ worker: { "worker-1": {} }, extra: { "worker-2": {} } });
  await lab.operate("deploy");
});

afterAll(() => lab.run("destroy"));

it("the live token of a pool ends with the pool, while another pool changes", async () => {
  await approveRequestsOf("worker");
  await configure({ worker: { "worker-1": {} }, extra: { "worker-2": { generation: 2 } } });
  expect(await lab.fails("deploy")).toContain("would not be approved"); // a failed join keeps the token
  await approveRequestsOf("worker", "extra");
  const api = await connectWithLiveToken(lab, "extra");
  expect(await api.isAccepted()).toBe(true);

  await configure({ worker: { "worker-1": {}, "worker-3": {} } });
  await lab.operate("deploy");

  await expectRefused(api);
  const secret = `bootstrap-token-${api.token!.split(".")[0]}`;
  expect((await lab.run("kubectl", "get", "secret", "-n", "kube-system", secret)).stderr).toContain("not found");
  expect(await readiness()).toEqual([
    ["worker-1", true],
    ["worker-3", true],
  ]);
});

it("a token whose update was killed before its revocation ends with the next update", async () => {
  await configure({ worker: { "worker-1": {}, "worker-2": {}, "worker-3": {} } });
  const { stateDir } = await lab.facts();
  const { ended } = startDeployment(lab);
  await eventually(async () => expect(await liveTokens(lab)).toHaveLength(1));
  await killCli(stateDir);
  await ended;
  const api = await connectWithLiveToken(lab);
  expect(await api.isAccepted()).toBe(true);

  await lab.operate("deploy");

  await expectRefused(api);
  expect(await readiness()).toEqual([
    ["worker-1", true],
    ["worker-2", true],
    ["worker-3", true],
  ]);
  expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
});
