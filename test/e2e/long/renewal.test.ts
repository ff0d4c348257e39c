import { setTimeout as sleep } from "node:timers/promises";
import { connectWithToken } from "../api";
import { changes, eventually, TestLab } from "../testLab";

/** Renewals of client certificates that are valid for three minutes, and an idle stack after the end of its token. */
const lab = new TestLab();
const TWO = ["worker-1", "worker-2"];

beforeAll(async () => {
  await lab.out("up", "--flag", "kube-controller-manager=--cluster-signing-duration=3m");
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(2);
    settings["tls-bootstrap:tokenTtl"] = "5m"; // the shortest
  });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.run("destroy");
  await lab.out("up", "--reset-flags");
});

/** The client certificates of a node so far, in order of their issue. */
const certificates = async (worker: string) =>
  (await lab.shell(worker, "ls /var/lib/kubelet/pki | grep -E '^kubelet-client-[0-9]'")).trim().split("\n");

it("kubelets renew their certificates three times without a token, and the nodes stay Ready", async () => {
  const api = await connectWithToken(lab);
  await eventually(async () => expect(await api.isAccepted()).toBe(false), 15);
  const readySince = async () => {
    const { items } = await lab.get<{ items: any[] }>("nodes");
    return items.map(({ status }) => {
      const ready = status.conditions.find(({ type }: { type: string }) => type === "Ready");
      return [ready.status, ready.lastTransitionTime];
    });
  };
  const before = await readySince();
  expect(before.map(([status]) => status)).toEqual(["True", "True"]);
  for (const worker of TWO) {
    expect(await lab.shell(worker, "ls /etc/kubernetes")).toBe("kubelet.conf\npki\n");
    expect(await certificates(worker)).toHaveLength(1);
  }

  for (const worker of TWO)
    await eventually(async () => expect((await certificates(worker)).length).toBeGreaterThanOrEqual(4), 600);

  expect(await readySince()).toEqual(before);
  const { items } = await lab.get<{ items: any[] }>("csr");
  for (const worker of TWO) {
    const own = items.filter(
      ({ spec }) =>
        spec.username === `system:node:${worker}` && spec.signerName === "kubernetes.io/kube-apiserver-client-kubelet",
    );
    expect(own.length).toBeGreaterThanOrEqual(3);
    expect(own.every(({ status }) => status.conditions[0].type === "Approved")).toBe(true);
  }
}, 900_000);

it("a revoked token whose ttl has passed needs no change", async () => {
  const { tokens } = await lab.json<{ tokens: Record<string, { expires: string }> }>("output");
  const cleanerMs = 10_000; // the token cleaner deletes a token when it expires
  await sleep(Date.parse(tokens.worker.expires) + cleanerMs - Date.now());
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
}, 400_000);
