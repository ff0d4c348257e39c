import { changes, TestLab } from "../testLab";

/** The preview of one kubelet setting in a pool of ten. */
const lab = new TestLab();
const TEN = Array.from({ length: 10 }, (_, i) => `worker-${i + 1}`);

beforeAll(async () => {
  await lab.out("up", "--workers", "10");
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.run("destroy");
  await lab.out("up", "--workers", "4"); // the number that other files expect
});

it("shows one line for each worker and nothing else, and opens no SSH session", async () => {
  expect((await lab.status()).nodes?.map(({ ready }) => ready)).toEqual(TEN.map(() => true));
  expect(changes(await lab.operate("preview"))).toEqual([]);
  const sessions = await lab.allSessions(TEN);
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].kubelet.maxPods = 42;
  });

  expect(changes(await lab.operate("preview"))).toEqual(
    TEN.map((name) => `update tls-bootstrap-${name}-kubelet`).sort(),
  );
  const text = await lab.out("preview", "--diff");
  const [resources, outputs] = text.split(/^\s*(?:Outputs:|--outputs:--)/m);
  const lines = (of: string) => of.split("\n").map((line) => line.trim().replace(/\s+/g, " "));
  const signed = (of: string) => lines(of).filter((line) => /^[+-] ./.test(line));
  expect(signed(resources)).toEqual(TEN.map(() => "+ maxPods: 42"));
  // The outputs change too: each receipt has the hash of the kubelet's files.
  expect(signed(outputs)).toEqual([]);
  const hashes = lines(outputs).filter((line) => line.includes(" => "));
  expect(hashes).toEqual(TEN.map(() => expect.stringMatching(/^~ configHash ?: "sha256:\w+" => "sha256:\w+"$/)));
  expect(await lab.allSessions(TEN)).toEqual(sessions);
});
