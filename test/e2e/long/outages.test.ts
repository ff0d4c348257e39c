import { setTimeout as sleep } from "node:timers/promises";
import { configure, expectReady, FOUR, generationOf, lab, maxPods, runScript, takeAway, takeAwayAt } from "../outage";
import { startPendingJoin } from "../pendingJoin";

/** A control plane that is away for half a minute while workers join and change. Each test builds on the tests before it. */

describe("while workers wait for their first certificates", () => {
  async function deployAndMeanwhile(worker: string, happens: () => Promise<unknown>): Promise<void> {
    const { end } = await startPendingJoin(lab, worker);
    await happens();
    await lab.out("start", "kube-controller-manager");
    expect(await end()).toEqual([]);
  }

  it("the controller manager is away for 30 s: the same deployment ends with Ready nodes", async () => {
    await configure({ "worker-1": {}, "worker-2": {} });
    await deployAndMeanwhile("worker-1", () => sleep(30_000));
    await expectReady(["worker-1", "worker-2"]);
  });

  it("the API server is away too: the same deployment ends with Ready nodes", async () => {
    await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {}, "worker-4": {} });
    await deployAndMeanwhile("worker-3", takeAway);
    await expectReady(FOUR);
  });
});

describe("the API server is away for 30 s when a step makes a request", () => {
  it.each<[string, Record<string, string>, number]>([
    [
      "of a join",
      {
        "worker-1": "certificatesigningrequests?dryRun", // is the join policy in force?
        "worker-2": "nodes?dryRun", // is NodeRestriction on?
        "worker-3": "selfnodeclient", // may the node renew its certificate?
        "worker-4": "{.metadata.annotations", // is the node Ready, and is it cordoned?
      },
      2,
    ],
    [
      "of a node that leaves to join again",
      {
        "worker-1": "unschedulable}", // is it cordoned?
        "worker-2": "patch node", // the cordon
        "worker-3": "get pods",
        "worker-4": "replace --raw", // not Ready any more
      },
      3,
    ],
  ])("%s: the same deployment ends with Ready nodes", async (_, requests, generation) => {
    await takeAwayAt(requests, async () => {
      await configure(generationOf(generation));
      await lab.operate("deploy");
    });
    await expectReady(FOUR);
  });

  it("of a changed kubelet, or of a node that proves itself again: the same deployment ends with Ready nodes", async () => {
    const requests = {
      "worker-1": "conditions",
      "worker-2": "whoami",
      "worker-3": "nodes?dryRun",
      "worker-4": "/apis/authorization",
    };
    await takeAwayAt(requests, async () => {
      await configure(generationOf(3, { "worker-1": { kubelet: { maxPods: 42 } } }));
      const joining = ["worker-2", "worker-3", "worker-4"].map((name) => runScript(name, "join.sh"));
      await lab.operate("deploy");
      for (const { status, stderr } of await Promise.all(joining)) expect([status, stderr]).toEqual([0, ""]);
    });
    expect(await maxPods("worker-1")).toBe("42");
    await expectReady(FOUR);
  });
});
