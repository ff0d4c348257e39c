import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { issueCertificate } from "../../../lab/control-plane/certificates";
import { requireLab } from "../../../lab/labState";
import { liveTokens } from "../api";
import { CLIENT_CERTIFICATE } from "../bareHost";
import { BOOTSTRAP_KUBECONFIG, startPendingJoin } from "../pendingJoin";
import { deploymentOf, podOn } from "../pods";
import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/**
 * Workers that reboot, lose power or are away for minutes. Each test builds on the tests before it. A power cut kills all processes of a
 * worker. It does not lose what was written and not synced, because the machine's kernel runs on.
 */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const THREE = ["worker-1", "worker-2", "worker-3"];

/** When the node has last reported that it is Ready; undefined when it is not. */
async function lastReady(node: string): Promise<number | undefined> {
  const { conditions } = (await lab.get<any>("node", node)).status;
  const { status, lastHeartbeatTime } = conditions.find(({ type }: { type: string }) => type === "Ready");
  return status === "True" ? Date.parse(lastHeartbeatTime) : undefined;
}

/** Since when the pod of a node runs; undefined when it does not. */
async function runningSince(node: string): Promise<number | undefined> {
  const { metadata, status } = await lab.get<any>("pod", `on-${node}`);
  expect(metadata.uid).toBe(uids[node]);
  const [{ ready, state }] = status.containerStatuses;
  return ready ? Date.parse(state.running.startedAt) : undefined;
}
let uids: Record<string, string>;

/** Expects that all nodes are Ready and run their pods, these ones since a time, and that nothing is left to do for Pulumi. */
async function expectBack(workers: readonly string[], since: number): Promise<void> {
  await eventually(async () => {
    for (const name of THREE) expect([name, await lastReady(name)]).toEqual([name, expect.any(Number)]);
    for (const name of workers) {
      expect(await lastReady(name)).toBeGreaterThan(since);
      expect(await runningSince(name)).toBeGreaterThan(since);
    }
  }, 180);
  await expectNothingToDo();
}

/** Expects an empty preview, which opens no SSH session, and no token, neither in the cluster nor on a worker. */
async function expectNothingToDo(running = THREE): Promise<void> {
  const sessions = await lab.allSessions(running);
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(await lab.allSessions(running)).toEqual(sessions);
  expect(await liveTokens(lab)).toEqual([]);
  for (const name of running) expect(await lab.shell(name, `ls ${BOOTSTRAP_KUBECONFIG} 2>/dev/null || true`)).toBe("");
}

/** Processes that must not change on workers that an incident does not concern. */
const kubelets = (workers: readonly string[]) => Promise.all(workers.map((name) => lab.kubeletPid(name)));

const cutPower = async (workers: readonly string[]): Promise<void> => {
  for (const name of workers) await lab.out("stop", name, "--kill");
};
const start = async (parts: readonly string[]): Promise<void> => {
  for (const name of parts) await lab.out("start", name);
};

beforeAll(async () => {
  await remember();
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": {} });
  await lab.operate("deploy");
  await lab.apply({ apiVersion: "v1", kind: "List", items: THREE.map((node) => podOn(node)) });
  await lab.kubectl("wait", "pods", "--all", "--for=condition=Ready", "--timeout=120s");
  const { items } = await lab.get<{ items: any[] }>("pods");
  uids = Object.fromEntries(items.map(({ spec, metadata }) => [spec.nodeName, metadata.uid]));
});

afterAll(async () => {
  await lab.out("up"); // also what a test has stopped
  await lab.run("kubectl", "delete", "deployments,pods", "--all", "--force");
  await lab.run("destroy");
});

describe("after a reboot", () => {
  it("a worker is Ready and runs its pods, and the others do not notice", async () => {
    const others = ["worker-2", "worker-3"];
    const before = await kubelets(others);
    const since = Date.now();
    await lab.out("restart", "worker-1");
    await expectBack(["worker-1"], since);
    expect(await kubelets(others)).toEqual(before);
  });

  it("all workers are, when all have rebooted at once", async () => {
    const since = Date.now();
    await Promise.all(THREE.map((name) => lab.shell(name, "systemctl --no-block reboot")));
    await expectBack(THREE, since);
  });
});

const becomeNotReady = (workers: readonly string[]) =>
  eventually(async () => {
    for (const name of workers) expect([name, await lab.isReady(name)]).toEqual([name, false]);
  }, 180);

describe("after a power cut", () => {
  it("a worker is Ready and runs its pods", async () => {
    const since = Date.now();
    await cutPower(["worker-2"]);
    await start(["worker-2"]);
    await expectBack(["worker-2"], since);
  });

  it("all workers are, when all were off until they were not Ready, and the control plane comes back after them", async () => {
    const controlPlane = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
    await cutPower(THREE);
    await becomeNotReady(THREE);
    const since = Date.now();
    for (const name of controlPlane.toReversed()) await lab.out("stop", name);
    await start(THREE);
    await start(controlPlane);
    await expectBack(THREE, since);
  });
});

describe("a worker that does not reach the API server until its node is not Ready", () => {
  const cut = (action: "I" | "D") => lab.shell("worker-3", `iptables -${action} OUTPUT -p tcp --dport 6443 -j DROP`);
  const nodeOfMoving = async () =>
    (await lab.get<{ items: any[] }>("pods", "-l", "app=moving")).items.map(({ spec }) => spec.nodeName as string);
  const available = () => lab.kubectl("wait", "deployment/moving", "--for=condition=Available", "--timeout=60s");
  /** How many containers run on worker-3. */
  const containers = async () => Number(await lab.shell("worker-3", "ctr -n k8s.io tasks list -q | wc -l"));
  let kubelet: string;

  it("loses the pods that may move, and Pulumi has nothing to do", async () => {
    const expression = { key: "kubernetes.io/hostname", operator: "In", values: ["worker-3"] };
    const preferred = [{ weight: 100, preference: { matchExpressions: [expression] } }];
    const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } };
    const toleration = { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" };
    const tolerations = [{ ...toleration, tolerationSeconds: 1 }];
    await lab.apply(deploymentOf("moving", 1, { affinity, tolerations, terminationGracePeriodSeconds: 0 }));
    await available();
    expect(await nodeOfMoving()).toEqual(["worker-3"]);
    kubelet = await lab.kubeletPid("worker-3");
    const before = await containers();

    await cut("I");
    await becomeNotReady(["worker-3"]);
    await eventually(async () => expect(await nodeOfMoving()).toEqual([expect.stringMatching(/^worker-[12]$/)]));
    await available();
    expect(await containers()).toBe(before);
    await expectNothingToDo();
  });

  it("is Ready again when it reaches the API server, and stops what has moved", async () => {
    const before = await containers();
    await cut("D");
    await expectBack([], 0);
    await eventually(async () => expect(await containers()).toBe(before - 2)); // a sandbox and a container
    expect(await lab.kubeletPid("worker-3")).toBe(kubelet);
  });

  it("needs a raised generation when its certificate is no longer valid", async () => {
    const { paths } = await requireLab(lab.name);
    const [certificateOfCa, keyOfCa] = await Promise.all(
      ["ca.crt", "ca.key"].map((file) => readFile(join(paths.pki, file), "utf8")),
    );
    const authority = { certificate: certificateOfCa, key: keyOfCa };
    const request = { organization: "system:nodes", commonName: "system:node:worker-3" };
    const years = 2 * 365 * 24 * 3_600_000;
    const { certificate, key } = await issueCertificate(authority, request, new Date(Date.now() - years));
    await lab.shell("worker-3", `cat >$(readlink -f ${CLIENT_CERTIFICATE}) <<'END'\n${certificate}${key}END`);
    await lab.out("restart", "worker-3", "--kill");
    await becomeNotReady(["worker-3"]);
    await expectNothingToDo();

    const since = Date.now();
    await configure({ "worker-1": {}, "worker-2": {}, "worker-3": { generation: 2 } });
    await lab.operate("deploy");
    await expectBack(["worker-3"], since);
  });
});

it("a worker that loses power while it joins is Ready after the next deployment, and its token is gone", async () => {
  await configure({ "worker-1": {}, "worker-2": {}, "worker-3": { generation: 2 }, "worker-4": {} });
  const { end } = await startPendingJoin(lab, "worker-4");
  const token = /token: *"?(\S+\.\w+)/.exec(await lab.exec("worker-4", "cat", BOOTSTRAP_KUBECONFIG))![1];
  await cutPower(["worker-4"]);
  expect(await end()).toEqual([expect.stringMatching(/^tls-bootstrap-worker-4-join: /)]);
  await start(["worker-4"]);
  expect(await lab.shell("worker-4", `grep -rsl '${token}' /etc /opt /root /home /run /tmp /var || true`)).toBe("");
  expect(await lab.shell("worker-4", "systemctl is-active kubelet || true")).toBe("inactive\n");
  await lab.operate("deploy");
  expect(await lab.isReady("worker-4")).toBe(true);
  await expectNothingToDo([...THREE, "worker-4"]);
});
