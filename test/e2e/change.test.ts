import { changes } from "./testLab";
import { deploymentSecrets, expectNoLeaks, lab, names, outputs, sessionsOf, THREE, worker } from "./threeWorkers";

/** Nodes that have joined follow their settings. Each test builds on the tests before it. */
beforeAll(() => lab.operate("deploy"));

describe("a kubelet setting", () => {
  it("shows the changed line in the preview", async () => {
    await lab.configure((settings) => {
      worker(settings, "worker-2").kubelet = { maxPods: 42 };
    });
    const preview = await lab.operate("preview");
    expect(changes(preview)).toEqual([`update ${names("kubelet", "worker-2")}`]);
    const text = await lab.out("preview", "--diff");
    expect(text.split("\n").filter((line) => /^\s*[+-] /.test(line) && /maxPods/.test(line))).toHaveLength(1);
    expect(text).toMatch(/^\s*\+ +maxPods: 42$/m);
    expect(text).not.toMatch(/^\s*- +(file|ExecStart|apiVersion)/m);
  });

  it("restarts the kubelet of that worker once, keeps its Node, and opens no session to the others", async () => {
    const sessions = await sessionsOf(THREE);
    const pids = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    const { uid } = (await lab.get<any>("node", "worker-2")).metadata;
    const starts = () =>
      lab.shell("worker-2", "journalctl -u kubelet -o cat --no-pager | grep -c '^Started kubelet' || true");
    const before = Number(await starts());
    const { receipts } = await outputs();

    await lab.operate("deploy");

    expect(Number(await starts()) - before).toBe(1);
    expect(await sessionsOf(THREE)).toEqual({ ...sessions, "worker-2": sessions["worker-2"] + 1 });
    const after = await Promise.all(THREE.map((name) => lab.kubeletPid(name)));
    expect([after[0], after[2]]).toEqual([pids[0], pids[2]]);
    const node = await lab.get<any>("node", "worker-2");
    expect(node.metadata.uid).toBe(uid);
    expect(node.status.capacity.pods).toBe("42");
    const changed = (await outputs()).receipts;
    expect(changed["worker-2"].configHash).not.toBe(receipts["worker-2"].configHash);
    expect(changed["worker-1"]).toEqual(receipts["worker-1"]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("that the kubelet cannot run with is rolled back on the worker, and the next deployment converges", async () => {
    await lab.configure((settings) => {
      worker(settings, "worker-2").kubelet = { maxPods: 42, kubeReserved: { memory: "900Gi" } }; // more than there is
    });
    const errors = await lab.fails("deploy");
    expect(errors).toContain(
      "with the new files kubelet of worker-2 does not become healthy; the previous ones are put back",
    );
    expect(errors).toContain("invalid Node Allocatable configuration");
    expect((await lab.status()).nodes?.find(({ name }) => name === "worker-2")?.ready).toBe(true);
    expect(await lab.exec("worker-2", "cat", "/var/lib/kubelet/config.yaml")).not.toContain("900Gi");
    await lab.configure((settings) => {
      worker(settings, "worker-2").kubelet = { maxPods: 42 };
    });
    await lab.operate("deploy");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("labels and taints follow the settings, also when they are removed", async () => {
  const sessions = await sessionsOf(THREE);
  const node = async () => {
    const { nodes } = await lab.status();
    const { labels, taints } = nodes!.find(({ name }) => name === "worker-1")!;
    return { rack: labels.rack, role: labels["node-role.kubernetes.io/worker"], taints };
  };
  await lab.configure((settings) => {
    Object.assign(worker(settings, "worker-1"), {
      labels: { rack: "r1" },
      taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }],
    });
  });
  expect(changes(await lab.operate("preview"))).toEqual([
    `update ${names("labels", "worker-1")}`,
    `update ${names("node", "worker-1")}`,
  ]);
  await lab.operate("deploy");
  expect(await node()).toEqual({
    rack: "r1",
    role: "",
    taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }],
  });

  await lab.configure((settings) => {
    worker(settings, "worker-1").taints = [{ key: "dedicated", value: "web", effect: "NoSchedule" }];
  });
  await lab.operate("deploy");
  expect((await node()).taints).toEqual([{ key: "dedicated", value: "web", effect: "NoSchedule" }]);

  await lab.configure((settings) => {
    delete worker(settings, "worker-1").labels;
    delete worker(settings, "worker-1").taints;
  });
  await lab.operate("deploy");
  expect(await node()).toEqual({ rack: undefined, role: "", taints: [] });
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(await sessionsOf(THREE)).toEqual(sessions);
});

it("an administrator's cordon stays, also when a label changes", async () => {
  const unschedulable = async () => (await lab.get<any>("node", "worker-3")).spec.unschedulable;
  const label = async (labels: Record<string, string>) => {
    await lab.configure((settings) => {
      worker(settings, "worker-3").labels = labels;
    });
    await lab.operate("deploy");
  };
  await lab.kubectl("cordon", "worker-3");
  expect(changes(await lab.operate("preview"))).toEqual([]);
  await label({ rack: "r3" });
  expect(await unschedulable()).toBe(true);
  await label({});
  expect(await unschedulable()).toBe(true);
  await lab.kubectl("uncordon", "worker-3");
  expect(await unschedulable()).toBeUndefined();
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("no secret was seen in state, logs, output, process lists or journals", async () =>
  expectNoLeaks(await deploymentSecrets()));
