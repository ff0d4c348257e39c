import { joining } from "../pendingJoin";
import { changes, TestLab } from "../testLab";

/** A network that swallows everything while a join is at work: minutes pass until anybody notices. */
const lab = new TestLab();
const WORKER = "worker-1";

beforeAll(() =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(1);
  }),
);

afterAll(async () => {
  await lab.out("up"); // whatever the test has stopped
  await lab.run("destroy");
});

it("a connection that goes silent fails in bounded time with the host's name, and the next deployment goes on from there", async () => {
  const { end } = await joining(lab, WORKER);
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
