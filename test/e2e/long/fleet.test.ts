import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/** Twelve workers, of which one is dead. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const TWELVE = Array.from({ length: 12 }, (_, i) => `worker-${i + 1}`);
const DEAD = "worker-6";
const ALIVE = TWELVE.filter((name) => name !== DEAD);
const THIRTEENTH = "worker-13";
jest.setTimeout(900_000);

/** Configures the workers with this many pods at most. */
async function configureAll(
  maxPods: number,
  more: { dead?: object; rollout?: object; added?: boolean } = {},
): Promise<void> {
  const names = [...TWELVE, ...(more.added ? [THIRTEENTH] : [])];
  await configure(Object.fromEntries(names.map((name) => [name, name === DEAD ? (more.dead ?? {}) : {}])));
  await lab.configure((settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    Object.assign(pool, { kubelet: { ...pool.kubelet, maxPods }, rollout: more.rollout });
  });
}

const maxPods = async (): Promise<Record<string, string>> => {
  const { items } = await lab.get<{ items: any[] }>("nodes");
  return Object.fromEntries(items.map(({ metadata, status }) => [metadata.name, status.capacity.pods]));
};

const expectMaxPods = (expected: Record<string, string>) =>
  eventually(async () => expect(await maxPods()).toEqual(expected));

const each = (names: readonly string[], pods: string) => Object.fromEntries(names.map((name) => [name, pods]));

beforeAll(async () => {
  await lab.out("up", "--workers", "13");
  await remember();
  await configureAll(50);
  await lab.operate("deploy");
  await expectMaxPods(each(TWELVE, "50"));
  await lab.out("stop", DEAD, "--kill");
});

afterAll(async () => {
  await lab.run("destroy");
  await lab.out("up", "--workers", "4");
});

it("one that is added joins, whatever the dead one does", async () => {
  await configureAll(50, { added: true });
  await lab.operate("deploy");
  expect(await lab.isReady(THIRTEENTH)).toBe(true);
  await configureAll(50);
  await lab.operate("deploy");
});

it("a change in batches stops at the batch of the dead one", async () => {
  await configureAll(51, { rollout: { maxUnavailable: 3 } });
  await lab.fails("deploy");
  const changed = TWELVE.slice(0, 5);
  await expectMaxPods({ ...each(TWELVE, "50"), ...each(changed, "51") });
});

it("a change without batches reaches all others with --continue-on-error, and the update still fails", async () => {
  await configureAll(52);
  const { status } = await lab.run("pulumi", "--", "up", "--yes", "--skip-preview", "--continue-on-error");
  expect(status).not.toBe(0);
  await expectMaxPods({ ...each(ALIVE, "52"), [DEAD]: "50" });
});

it("a change reaches all others when the dead one is marked as lost, and the update succeeds", async () => {
  await configureAll(53, { dead: { lost: true }, rollout: { maxUnavailable: 3 } });
  await lab.operate("deploy");
  await expectMaxPods(each(ALIVE, "53"));
  expect(changes(await lab.operate("preview"))).toEqual([]);
});
