import { eventually, TestLab } from "../testLab";

/** Renewals of client certificates that are valid for three minutes. */
const lab = new TestLab();
const TWO = ["worker-1", "worker-2"];

beforeAll(async () => {
  await lab.out("up", "--flag", "kube-controller-manager=--cluster-signing-duration=3m");
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(2);
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
  const { tokens } = await lab.json<{ tokens: Record<string, { id: string }> }>("output");
  await lab.kubectl("delete", "secret", "-n", "kube-system", `bootstrap-token-${tokens.worker.id}`);
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
