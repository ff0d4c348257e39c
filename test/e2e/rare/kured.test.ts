import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { REPOSITORY } from "../../repository";
import { PageCommands } from "../pageCommands";
import { deploymentOf, spreadOver } from "../pods";
import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/**
 * docs/kured.md. Not every Go module proxy has kured, so its pods are stand-ins with the rights and mounts of its own. The tests drain and
 * reboot as kured does. Each test builds on the tests before it.
 */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const TWO = ["worker-1", "worker-2"];
const ROLLOUT = { canary: 1, maxUnavailable: 1, pauseSeconds: 30 };

const KURED = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "kured", namespace: "kube-system" },
  spec: {
    selector: { matchLabels: { name: "kured" } },
    template: {
      metadata: { labels: { name: "kured" } },
      spec: {
        hostPID: true,
        terminationGracePeriodSeconds: 0,
        volumes: [{ name: "sentinel", hostPath: { path: "/var/run", type: "Directory" } }],
        containers: [
          {
            name: "kured",
            image: "lab.local/busybox:1",
            imagePullPolicy: "Never",
            command: ["sleep", "100000"],
            securityContext: { privileged: true, readOnlyRootFilesystem: true },
            volumeMounts: [{ mountPath: "/sentinel", name: "sentinel", readOnly: true }],
          },
        ],
      },
    },
  },
};

/** Runs a command in the pod of kured on a node. */
async function inKured(node: string, ...command: string[]) {
  const pods = ["pods", "-n", "kube-system", "-l", "name=kured", "--field-selector", `spec.nodeName=${node}`];
  const { items } = await lab.get<{ items: any[] }>(...pods);
  return lab.run("kubectl", "exec", "-n", "kube-system", items[0].metadata.name, "--", ...command);
}

/** The command of kured. Its connection ends with the node. */
const reboot = (node: string) => inKured(node, "nsenter", "-m/proc/1/ns/mnt", "--", "/bin/systemctl", "reboot");

const bootOf = (node: string) => lab.shell(node, "systemctl show -P UserspaceTimestampMonotonic").catch(() => "");
const awaitReboot = async (node: string, before: string): Promise<void> => {
  await eventually(async () => expect(["", before]).not.toContain(await bootOf(node)), 60);
  const since = Date.now();
  await eventually(async () => {
    const { conditions } = (await lab.get<any>("node", node)).status;
    const { status, lastHeartbeatTime } = conditions.find(({ type }: any) => type === "Ready");
    expect([status, Date.parse(lastHeartbeatTime) > since - 1000]).toEqual(["True", true]);
  }, 120);
};
const isCordoned = async (node: string): Promise<boolean> =>
  (await lab.get<any>("node", node)).spec.unschedulable ?? false;
const nodesOfPods = async () =>
  (await lab.get<{ items: any[] }>("pods", "-l", "app=web")).items.map(({ spec }) => spec.nodeName);

let page: string;
beforeAll(async () => {
  page = await readFile(join(REPOSITORY, "docs/kured.md"), "utf8");
  await remember();
  await configure({ "worker-1": {}, "worker-2": {} });
  await lab.operate("deploy");
  await lab.apply(KURED);
  await lab.apply(deploymentOf("web", 2, { topologySpreadConstraints: spreadOver("web", "ScheduleAnyway") }));
  await lab.kubectl("rollout", "status", "-n", "kube-system", "daemonset/kured", "--timeout=60s");
  await lab.kubectl("rollout", "status", "deployment/web", "--timeout=60s");
});

afterAll(async () => {
  await lab.run("kubectl", "delete", "deployment/web", "--ignore-not-found");
  await lab.run("kubectl", "delete", "-n", "kube-system", "daemonset/kured", "--ignore-not-found");
  await lab.run("destroy");
});

it("a node that kured drains and reboots comes back by itself, and keeps kured's cordon until kured lifts it", async () => {
  expect((await nodesOfPods()).sort()).toEqual(TWO);
  await lab.shell("worker-1", "touch /var/run/reboot-required");
  expect((await inKured("worker-1", "test", "-f", "/sentinel/reboot-required")).status).toBe(0);
  await lab.kubectl("drain", "worker-1", "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=60s");
  expect(await nodesOfPods()).not.toContain("worker-1");
  const before = await bootOf("worker-1");
  await reboot("worker-1");
  await awaitReboot("worker-1", before);

  expect(await lab.shell("worker-1", "ls /var/run/reboot-required 2>/dev/null || true")).toBe("");
  const sessions = await lab.allSessions(TWO);
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(await lab.allSessions(TWO)).toEqual(sessions);
  expect(await isCordoned("worker-1")).toBe(true);
  await lab.kubectl("uncordon", "worker-1");
});

it("a reboot in the middle of a step fails the update, and the next one converges", async () => {
  await lab.configure((settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    pool.rollout = ROLLOUT;
    pool.kubelet.maxPods = 50;
  });
  const pid = await lab.kubeletPid("worker-1");
  const before = await bootOf("worker-1");
  const failed = lab.fails("deploy");
  await eventually(async () => expect([pid, "0"]).not.toContain(await lab.kubeletPid("worker-1")), 120);
  await eventually(async () => expect((await inKured("worker-1", "true")).status).toBe(0));
  await reboot("worker-1");
  // Which one it is depends on what ends first: the step, or the connection.
  expect(await failed).toMatch(/systemd lost sight of step "kubelet apply"|remote command exited without exit status/);

  await awaitReboot("worker-1", before);
  await lab.operate("deploy");
  expect(changes(await lab.operate("preview"))).toEqual([]);
  for (const node of TWO) expect([node, await lab.isReady(node), await isCordoned(node)]).toEqual([node, true, false]);
});

it("the page's commands take kured's lock unless a node has it, and release it", async () => {
  expect((await new PageCommands(lab, page).run("kured-node-lock=")).status).toBe(0);
  const { annotations } = (await lab.get<any>("daemonset", "-n", "kube-system", "kured")).metadata;
  expect(JSON.parse(annotations["weave.works/kured-node-lock"])).toEqual({ nodeID: "pulumi" });
  expect((await new PageCommands(lab, page).run("kured-node-lock-")).status).toBe(0);

  const ofNode = `weave.works/kured-node-lock=${JSON.stringify({ nodeID: "worker-1" })}`;
  await lab.kubectl("annotate", "-n", "kube-system", "daemonset/kured", ofNode);
  const { status, stderr } = await new PageCommands(lab, page).run("kured-node-lock=");
  expect([status, stderr]).toEqual([1, expect.stringContaining("--overwrite is false")]);
});
