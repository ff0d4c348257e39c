import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { REPOSITORY } from "../../repository";
import { deploymentOf, spreadOver } from "../pods";
import { changes, eventually, TestLab } from "../testLab";

/**
 * VMs and their workers in one program (test/e2e/programs/vms): addresses are outputs, and host keys come from HostKey. A VM is a lab worker that
 * boots when its resource is created, and shuts down when the resource is deleted. Each test builds on the tests before it.
 */
const lab = new TestLab();
const PROGRAM = join(REPOSITORY, "test", "e2e", "programs", "vms");
const KEY = "/etc/ssh/ssh_host_ed25519_key";
const FIRST = { name: "worker-1", machine: "worker-1", image: "1" };
const SECOND = { name: "worker-2", machine: "worker-2", image: "1" };

let log: string;
let options: string[];
const oldKeys: Record<string, string> = {};

/** Sets the VMs of the program. */
async function setVms(...vms: readonly object[]): Promise<void> {
  const file = await lab.configFile("vms", (settings) => {
    const setting = (name: string) => settings[`tls-bootstrap:${name}`];
    const [{ workers, ...pool }] = setting("pools");
    const machines = workers.map(({ name, address }: Record<string, string>) => [name, address]);
    const same = ["cluster", "ssh", "kubernetesVersion", "downloadUrl", "checksums"].map((name) => [
      name,
      setting(name),
    ]);
    const own = { log, vms, lab: lab.name, machines: Object.fromEntries(machines), drain: { timeoutSeconds: 8 }, pool };
    const all = { ...Object.fromEntries(same), ...own };
    return Object.fromEntries(Object.entries(all).map(([name, value]) => [`vms:${name}`, value]));
  });
  options = ["--program", PROGRAM, "--stack", "vms", "--config-file", file];
}

/** The VMs that ended and booted since the last call. */
async function events(): Promise<string[]> {
  const text = existsSync(log) ? await readFile(log, "utf8") : "";
  await rm(log, { force: true });
  return text.split("\n").filter(Boolean);
}

const nodes = async () => (await lab.status()).nodes?.map(({ name, ready }) => [name, ready]);
const deploy = () => lab.operate("deploy", ...options);
const podsOn = (node: string) =>
  lab.kubectl("get", "pods", "--field-selector", `spec.nodeName=${node}`, "-o", "jsonpath={.items[*].metadata.name}");

beforeAll(async () => {
  log = join((await lab.facts()).stateDir, "vms.log");
  for (const machine of ["worker-1", "worker-2", "worker-3"]) oldKeys[machine] = await lab.shell(machine, `cat ${KEY}`);
});

afterAll(async () => {
  await lab.run("kubectl", "delete", "deployments,poddisruptionbudgets", "--all", "--now");
  await setVms();
  await lab.run("deploy", ...options);
  await lab.run("destroy", ...options);
  await lab.out("up"); // the machines whose VMs are gone
  // The machine that was lost comes back as a node.
  await eventually(async () => expect(await lab.isReady("worker-1")).toBe(true));
  await lab.shell(
    "worker-1",
    '. /etc/tls-bootstrap/host.conf; echo "$OWNER" | /opt/tls-bootstrap/scripts/run.sh leave',
  );
  await lab.kubectl("delete", "node", "worker-1");
  for (const [machine, key] of Object.entries(oldKeys))
    await lab.shell(
      machine,
      `cat >${KEY} <<'END'\n${key}END\nssh-keygen -yf ${KEY} >${KEY}.pub; systemctl restart ssh`,
    );
});

it("a first preview shows the steps of workers whose addresses and host keys are not known yet", async () => {
  await setVms(FIRST, SECOND);
  const shown = changes(await lab.operate("preview", ...options));
  for (const step of ["host", "leave", "serving", "kubelet", "join"])
    expect(shown).toContain(`create vms-worker-1-${step}`);
});

it("workers join in the update that makes their VMs, whose host keys are pinned", async () => {
  await deploy();
  expect((await events()).sort()).toEqual(["boots worker-1 worker-1", "boots worker-2 worker-2"]);
  expect(await nodes()).toEqual([
    ["worker-1", true],
    ["worker-2", true],
  ]);
  expect(await lab.shell("worker-1", `cat ${KEY}`)).not.toBe(oldKeys["worker-1"]);
  expect(changes(await lab.operate("preview", ...options))).toEqual([]);
});

it("a VM that is replaced delete-first ends when its node has left, and the new one joins in the same update", async () => {
  await lab.apply(deploymentOf("web", 2, { topologySpreadConstraints: spreadOver("web", "DoNotSchedule") }));
  await lab.kubectl("rollout", "status", "deployment/web", "--timeout=120s");
  expect(await podsOn("worker-2")).not.toBe("");
  await lab.kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1");
  // Address and host key stay.
  await setVms(FIRST, { ...SECOND, image: "2" });
  await deploy();
  expect(await events()).toEqual(["ends worker-2 worker-2 pods: none", "boots worker-2 worker-2"]);
  expect(await lab.isReady("worker-2")).toBe(true);
});

it("the same holds for a new VM with another address", async () => {
  await setVms(FIRST, { ...SECOND, machine: "worker-3" });
  await deploy();
  expect(await events()).toEqual(["ends worker-2 worker-2 pods: none", "boots worker-2 worker-3"]);
  expect(await lab.isReady("worker-2")).toBe(true);
  expect(changes(await lab.operate("preview", ...options))).toEqual([]);
});

it("a VM that is removed with its worker waits for a PodDisruptionBudget", async () => {
  await lab.kubectl("rollout", "restart", "deployment/web");
  await lab.kubectl("rollout", "status", "deployment/web", "--timeout=120s");
  await lab.kubectl("delete", "poddisruptionbudget", "web");
  await lab.kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=2");
  await setVms(FIRST);
  expect(await lab.fails("deploy", ...options)).toContain("worker-2 is not removed, and stays cordoned");
  expect(await events()).toEqual([]); // the VM runs
  await lab.kubectl("delete", "poddisruptionbudget", "web");
  await deploy();
  expect(await events()).toEqual(["ends worker-2 worker-3 pods: none"]);
  expect(await nodes()).toEqual([["worker-1", true]]);
});

it("a VM that is broken goes without a drain after 'lost: true', and then its worker joins on another one", async () => {
  await lab.out("stop", "worker-1", "--kill");
  await setVms({ ...FIRST, lost: true });
  await deploy();
  expect(await nodes()).toEqual([]);
  await setVms({ ...FIRST, machine: "worker-3" });
  await deploy();
  expect(await events()).toEqual([expect.stringMatching(/^ends worker-1 worker-1/), "boots worker-1 worker-3"]);
  expect(await nodes()).toEqual([["worker-1", true]]);
});
