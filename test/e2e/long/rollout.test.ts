import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/** Changes of a pool go in batches. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const FOUR = ["worker-1", "worker-2", "worker-3", "worker-4"];

/** Configures the pool's kubelets, which change in three batches: worker-1, worker-2 and worker-3, worker-4. */
async function setKubelet(kubelet: object): Promise<void> {
  await configure(Object.fromEntries(FOUR.map((name) => [name, {}])));
  await lab.configure((settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    Object.assign(pool, {
      kubelet: { ...pool.kubelet, ...kubelet },
      rollout: { canary: 1, maxUnavailable: 2, pauseSeconds: 2 },
    });
  });
}

const pids = () => Promise.all(FOUR.map((name) => lab.kubeletPid(name)));

/** When the kubelet of each worker started, in seconds since its machine booted. All workers share one clock. */
const starts = () =>
  Promise.all(
    FOUR.map(async (name) =>
      Number(await lab.exec(name, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", "kubelet")),
    ),
  );

/** Makes the kubelet of a worker end at once, whatever its settings. */
const breakKubelet = (name: string) =>
  lab.shell(
    name,
    `mkdir -p /run/systemd/system/kubelet.service.d &&
     printf '[Service]\\nExecStartPre=sh -c "! grep -q maxPods:.51 /var/lib/kubelet/config.yaml"\\n' >/run/systemd/system/kubelet.service.d/broken.conf`,
  );

beforeAll(async () => {
  await remember();
  await setKubelet({});
  await lab.operate("deploy");
});

afterAll(async () => void (await lab.run("destroy")));

it("a batch changes when the batch before is healthy", async () => {
  await setKubelet({ maxPods: 50 });
  await lab.operate("deploy");
  const [first, second, third, fourth] = await starts();
  const pause = 2_000_000;
  expect(Math.min(second, third)).toBeGreaterThan(first + pause);
  expect(fourth).toBeGreaterThan(Math.max(second, third) + pause);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a worker that fails stops the rollout, and the next update goes on from there", async () => {
  await breakKubelet("worker-2");
  const before = await pids();
  await setKubelet({ maxPods: 51 });
  const errors = await lab.fails("deploy");
  expect(errors).toContain("with the new files kubelet of worker-2 does not become healthy");
  const [first, , , fourth] = await pids();
  expect(first).not.toBe(before[0]);
  expect(fourth).toBe(before[3]);
  expect((await lab.status()).nodes?.map(({ ready }) => ready)).toEqual([true, true, true, true]);

  await lab.shell("worker-2", "rm -r /run/systemd/system/kubelet.service.d && systemctl daemon-reload");
  const preview = changes(await lab.operate("preview"));
  expect(preview).toContain("update tls-bootstrap-worker-2-kubelet");
  expect(preview).toContain("update tls-bootstrap-worker-4-kubelet");
  expect(preview).not.toContain("update tls-bootstrap-worker-1-kubelet");
  await lab.operate("deploy");
  expect((await pids())[0]).toBe(first);
  for (const name of FOUR)
    await eventually(async () => expect((await lab.get<any>("node", name)).status.capacity.pods).toBe("51"));
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a worker that is added touches no other, and one that is removed neither", async () => {
  const before = await pids();
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
  const removal = changes(await lab.operate("deploy"));
  expect(removal.filter((line) => /worker-[123]-/.test(line))).toEqual([]);
  await configure(Object.fromEntries(FOUR.map((name) => [name, {}])));
  const addition = changes(await lab.operate("deploy"));
  expect(addition.filter((line) => /worker-[123]-/.test(line))).toEqual([]);
  expect((await pids()).slice(0, 3)).toEqual(before.slice(0, 3));
});
