import { areHeld, configure, expectReady, FOUR, generationOf, hold, lab, maxPods } from "../outage";
import { release, runScript, SCRIPTS, takeAwayAt } from "../outage";
import { podOn } from "../pods";

/** An API server that stays away from its workers, and one that is away while workers leave. Each test builds on the tests before it. */
beforeAll(async () => {
  await configure(generationOf(1), { drain: { barePods: "delete" } });
  await lab.operate("deploy");
});

describe("an API server that stays away from a worker", () => {
  const changed = { "worker-1": { kubelet: { maxPods: 43 } }, "worker-2": { generation: 2 } };
  const cutOff = (name: string, action: "I" | "D") =>
    lab.shell(name, `iptables -${action} OUTPUT -p tcp --dport 6443 -j REJECT --reject-with tcp-reset || true`);
  const others = ["worker-3", "worker-4"];
  const kubelets = () => Promise.all(others.map((name) => lab.kubeletPid(name)));

  it("fails the step in bounded time, with an error that says what to do", async () => {
    await lab.out("stop", "kube-controller-manager"); // so that worker-2 waits for its certificate
    // A busy cluster may take longer, but this test need not wait.
    await lab.shell("worker-2", `sed -i 's/^CERTIFICATE_SECONDS=[0-9]*/CERTIFICATE_SECONDS=20/' ${SCRIPTS}/join.sh`);
    const requests = { "worker-1": "conditions", "worker-2": "/apis/authorization" };
    for (const [name, text] of Object.entries(requests)) await hold(name, text);
    const before = await kubelets();
    await configure(generationOf(1, changed));
    const failing = lab.fails("deploy");
    try {
      await areHeld(Object.keys(requests));
      for (const name of FOUR) await cutOff(name, "I");
      await release(FOUR);
      const begin = Date.now();
      const [joined, left] = await Promise.all([
        runScript("worker-3", "join.sh"),
        runScript("worker-4", "leave.sh rejoin"),
      ]);
      const errors = await failing;
      expect(Date.now() - begin).toBeLessThan(400_000);
      const server = (await lab.facts()).apiServer;
      const refused = `The connection to the server ${new URL(server).host} was refused`;
      for (const line of [
        `  the API server answers worker-1: ${refused}`,
        "tls-bootstrap: the update of worker-1 was undone\n  what to do: make sure that worker-1 reaches the API server",
        `tls-bootstrap: worker-2 got no certificate within 20 s: the API server at ${server} cannot be reached: curl: (7) Failed to connect to ${new URL(server).hostname}`,
        "  what to do: check the network between them, then run 'pulumi up' again",
      ])
        expect(errors).toContain(line);
      expect(joined.stderr).toContain(`of worker-3 by ${server}, which answers: ${refused}`);
      expect(joined.stderr).toContain("what to do: make sure that this host reaches the API server");
      expect(left.stderr).toContain(`worker-4 cannot read its Node, so it was not changed: ${refused}`);
      expect(left.stderr).toContain(`what to do: make sure that ${server} accepts this node`);
      expect([joined.status, left.status]).toEqual([1, 1]);
      expect(await kubelets()).toEqual(before);
    } finally {
      await release(FOUR);
      for (const name of FOUR) await cutOff(name, "D");
      await lab.out("start", "kube-controller-manager");
    }
  });

  it("needs no more than the next deployment when it is back", async () => {
    await lab.operate("deploy");
    expect(await maxPods("worker-1")).toBe("43");
    await expectReady(FOUR);
  });
});

describe("while workers with pods are removed", () => {
  it("the API server is away for 30 s: they are drained and removed by the same deployment", async () => {
    const requests = { "worker-2": "unschedulable", "worker-3": "get pods", "worker-4": "eviction" };
    const items = Object.keys(requests).map((node) => podOn(node));
    await lab.apply({ apiVersion: "v1", kind: "List", items });
    await lab.kubectl("wait", "pods", "--all", "--for=condition=Ready", "--timeout=120s");

    await takeAwayAt(requests, async () => {
      await configure({ "worker-1": { generation: 1, kubelet: { maxPods: 43 } } });
      await lab.operate("deploy");
    });

    expect(await lab.kubectl("get", "pods", "-o", "name")).toBe("");
    for (const name of Object.keys(requests))
      expect(await lab.shell(name, `ls -d ${SCRIPTS} /var/lib/kubelet 2>/dev/null || true`)).toBe("");
    await expectReady(["worker-1"]);
  });
});
