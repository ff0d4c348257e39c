import { makeRequests } from "../../requests/goRequests";
import { connectWithToken, destroyWithTokens } from "../api";
import { changes, TestLab } from "../testLab";

/** An attacker floods the cluster with a stolen token. */
const lab = new TestLab();
const REQUESTS = 500;

let workers: unknown[];
const configure = (count: number) =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers = workers.slice(0, count);
    // The token of a scale group stays valid. The token of a pool is revoked when the workers have joined.
    settings["tls-bootstrap:scaleGroups"] = [{ name: "burst", namePrefix: "burst-" }];
  });

/** Names and certificates of the requests in the cluster. */
async function certificateRequests(): Promise<[string, string | undefined][]> {
  const { items } = await lab.get<{ items: any[] }>("csr");
  return items.map(({ metadata, status }) => [metadata.name, status.certificate]);
}

beforeAll(async () => {
  await lab.configure((settings) => {
    workers = settings["tls-bootstrap:pools"][0].workers;
  });
  await configure(2);
  await lab.operate("deploy");
});

afterAll(() => destroyWithTokens(lab));

it("requests for undeclared names are denied, and an honest join becomes Ready meanwhile", async () => {
  const api = await connectWithToken(lab, "burst");
  const requests = makeRequests(Array.from({ length: REQUESTS }, (_, i) => `flood-${i}`)).map(([request]) => request);
  const answers: number[] = [];
  const earlier = await certificateRequests();
  const flood = Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let request = requests.pop(); request; request = requests.pop())
        answers.push((await api.askFor(request)).status);
    }),
  );
  await configure(3);
  const [result] = await Promise.all([lab.operate("deploy"), flood]);
  expect(changes(result).filter((line) => /worker-[12]-/.test(line))).toEqual([]);
  const { nodes } = await lab.status();
  expect(nodes?.map(({ name, ready }) => [name, ready])).toEqual(
    ["worker-1", "worker-2", "worker-3"].map((name) => [name, true]),
  );
  expect(answers).toHaveLength(REQUESTS);
  expect([...new Set(answers)]).toEqual([422]);
  const made = (await certificateRequests()).filter(([name]) => !earlier.some(([other]) => other === name));
  expect(made.filter(([, certificate]) => !certificate)).toEqual([]);
});
