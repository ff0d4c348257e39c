import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { REPOSITORY } from "../../repository";
import { blocksOf } from "../pageBlocks";
import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/** Taints: those of the settings, and those that others set. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure: configurePool } = new PoolSettings(lab);
const NODE = "worker-1";
/** The controllers set NoExecute only while other nodes are Ready. */
const configure = (change: object) => configurePool({ [NODE]: change, "worker-2": {} });
const [SETTINGS] = blocksOf(readFileSync(join(REPOSITORY, "docs/cloud-controller.md"), "utf8"), ["yaml"]);
const UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized";

const OURS = { key: "dedicated", value: "batch", effect: "NoSchedule" };
const OURS_ID = "dedicated:NoSchedule";
const taints = async (): Promise<string[]> =>
  ((await lab.get<any>("node", NODE)).spec.taints ?? []).map(({ key, effect }: any) => `${key}:${effect}`).sort();
const labelsOf = async () => (await lab.get<any>("node", NODE)).metadata.labels as Record<string, string>;

/** Does for a node what the cloud-node-controller of a cloud does: gives it its id, and removes the taint. */
async function initialize(): Promise<void> {
  const { spec } = await lab.get<any>("node", NODE);
  const rest = spec.taints.filter(({ key }: { key: string }) => key !== UNINITIALIZED);
  expect(rest.length).toBe(spec.taints.length - 1);
  const patch = { spec: { providerID: `lab://${NODE}`, taints: rest } };
  await lab.kubectl("patch", "node", NODE, "--type=merge", "-p", JSON.stringify(patch));
}

beforeAll(remember);
afterAll(() => lab.run("destroy"));

it("a node with an external cloud provider begins with the taint that its cloud controller removes", async () => {
  const [pool] = parse(SETTINGS.text)["tls-bootstrap:pools"];
  await lab.configure((settings) => Object.assign(settings["tls-bootstrap:pools"][0], pool));
  await configure({ taints: [OURS] });
  await lab.operate("deploy");
  // The node controllers remove theirs some seconds after the node is Ready.
  await eventually(async () => expect(await taints()).toEqual([OURS_ID, `${UNINITIALIZED}:NoSchedule`]));
  await initialize();
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a changed label touches no taint, and changed taints do not bring that one back", async () => {
  await lab.kubectl("taint", "node", NODE, "of-somebody-else=x:NoSchedule");
  await configure({ taints: [OURS], labels: { disk: "ssd" } });
  expect(changes(await lab.operate("preview"))).toEqual([`update tls-bootstrap-${NODE}-labels`]);
  await lab.operate("deploy");
  expect(await labelsOf()).toMatchObject({ disk: "ssd", "node-role.kubernetes.io/worker": "" });
  expect(await taints()).toEqual([OURS_ID, "of-somebody-else:NoSchedule"]);

  await configure({ taints: [{ ...OURS, key: "other" }] });
  await lab.operate("deploy");
  expect(await labelsOf()).not.toHaveProperty("disk");
  // The list is replaced as a whole.
  expect(await taints()).toEqual(["other:NoSchedule"]);
  expect((await lab.get<any>("node", NODE)).spec.providerID).toBe(`lab://${NODE}`);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("the node controllers set theirs again when changed taints have replaced them", async () => {
  await lab.shell(NODE, "systemctl stop kubelet");
  const theirs = ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"];
  await eventually(async () => expect(await taints()).toEqual([...theirs, "other:NoSchedule"].sort()), 120);
  await configure({ taints: [OURS] });
  await lab.operate("deploy");
  const begin = Date.now();
  await eventually(async () => expect(await taints()).toEqual([OURS_ID, ...theirs].sort()), 60);
  console.log(`The node controllers took ${(Date.now() - begin) / 1000} s`);
  await lab.shell(NODE, "systemctl start kubelet");
  await eventually(async () => expect(await taints()).toEqual([OURS_ID]), 60);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("taints that are no longer declared go, or the update says how", async () => {
  await configure({});
  const { diagnostics } = await lab.operate("deploy");
  const command = `kubectl taint node ${NODE} ${OURS_ID}-`;
  expect(diagnostics.map(({ message }) => message)).toEqual([expect.stringContaining(`run '${command}'`)]);
  expect(await taints()).toEqual([OURS_ID]);
  await lab.kubectl(...command.split(" ").slice(1));
  expect(await taints()).toEqual([]);
  expect(changes(await lab.operate("preview"))).toEqual([]);

  await configure({ taints: [OURS] });
  await lab.operate("deploy");
  await configure({});
  expect((await lab.operate("deploy")).diagnostics).toEqual([]); // no controller has changed the list meanwhile
  expect(await taints()).toEqual([]);
});

it("a Node that is made anew gets labels and taints back, and the taint for the cloud controller", async () => {
  await configure({ taints: [OURS], labels: { disk: "ssd" } });
  await lab.operate("deploy");
  await lab.kubectl("delete", "node", NODE);
  await lab.operate("deploy", "--refresh");
  expect(await labelsOf()).toMatchObject({ disk: "ssd" });
  expect(await taints()).toEqual(expect.arrayContaining([OURS_ID, `${UNINITIALIZED}:NoSchedule`]));
  expect(changes(await lab.operate("preview"))).toEqual([]);
});
