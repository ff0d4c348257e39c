import { startPendingJoin } from "../pendingJoin";
import { changes, TestLab } from "../testLab";

/** A network that drops all packets during a join, which takes minutes to notice. */
const lab = new TestLab();
const WORKER = "worker-1";

beforeAll(() =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(1);
  }),
);

afterAll(async () => {
  await lab.out("up"); // also what the test has stopped
  await lab.run("destroy");
});

it("a silent connection fails within four minutes, with the name of the worker, and the next deployment joins it", async () => {
  const { end } = await startPendingJoin(lab, WORKER);
  const rules = ["INPUT -p tcp --dport 22", "OUTPUT -p tcp --sport 22"];
  const each = (action: string) => rules.map((rule) => `iptables -${action} ${rule} -j DROP`).join(" && ");
  await lab.shell(WORKER, each("I"));
  const started = Date.now();
  try {
    expect(await end()).toEqual([
      expect.stringMatching(/^tls-bootstrap-worker-1-join: .*without exit status or exit signal/),
    ]);
    expect(Date.now() - started).toBeLessThan(240_000);
  } finally {
    await lab.shell(WORKER, each("D"));
  }
  await lab.operate("deploy");
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([[WORKER, true]]);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});
