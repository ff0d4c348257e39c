import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { issueCertificate } from "../../../lab/control-plane/certificates";
import { REPOSITORY } from "../../repository";
import { CLIENT_CERTIFICATE } from "../bareHost";
import { hostOf } from "../bareWorkers";
import { blocksOf, missingFrom } from "../pageBlocks";
import { deploymentOf, podOn, spreadOver } from "../pods";
import { PoolSettings } from "../poolSettings";
import { changes, eventually, TestLab } from "../testLab";

/**
 * Does what the pages about a worker's life tell, and compares the outputs that they show. The pages leave lines out. Each test builds on the
 * tests before it.
 */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const THREE = { "worker-1": {}, "worker-2": {}, "worker-3": {} };
const TWO = { "worker-1": {}, "worker-2": {} };

const pages = Object.fromEntries(
  ["remove", "lost-machine", "rejoin", "change"].map((name) => [
    name,
    readFileSync(join(REPOSITORY, "docs", `${name}.md`), "utf8"),
  ]),
);

/** The one block of a page that has these words. */
function blockOf(page: string, words: string, language = "text"): string {
  const [block, ...others] = blocksOf(pages[page], [language]).filter(({ text }) => text.includes(words));
  expect([words, typeof block, others]).toEqual([words, "object", []]);
  return block.text;
}

/** Expects that an output has the lines that a page shows. */
function expectShown(output: string, page: string, words: string): void {
  const missing = missingFrom(output, blockOf(page, words));
  expect(missing.length > 0 ? { missing, output } : {}).toEqual({});
}

const preview = (...options: string[]): Promise<string> => lab.out("preview", ...options);
const deploy = (): Promise<string> => lab.out("deploy");

/** Deploys, which must fail. Returns what the CLI prints. */
async function deployFails(): Promise<string> {
  const { status, stdout, stderr } = await lab.run("deploy");
  expect(status).not.toBe(0);
  return stdout + stderr;
}

const nodes = async () => (await lab.status()).nodes?.map(({ name, ready }) => [name, ready]);
const ready = (...names: string[]) => names.map((name) => [name, true]);
const isCordoned = async (name: string): Promise<boolean> =>
  (await lab.get<any>("node", name)).spec.unschedulable ?? false;

beforeAll(async () => {
  await lab.out("up", "--workers", "5"); // the fifth is for a reimaged VM, since the others must stay as they are
  await remember();
  await configure(THREE, { drain: { timeoutSeconds: 10 } });
  await deploy();
});

afterAll(async () => {
  await lab.run("kubectl", "delete", "deployments,pods,poddisruptionbudgets", "--all", "--now");
  await lab.out("up"); // also what a test has stopped
  await lab.run("destroy");
  await lab.out("up", "--workers", "4");
});

describe("remove.md", () => {
  it("a removal waits for a PodDisruptionBudget", async () => {
    await lab.apply(deploymentOf("web", 3, { topologySpreadConstraints: spreadOver("web", "DoNotSchedule") }));
    await lab.kubectl("rollout", "status", "deployment/web", "--timeout=120s");
    await lab.kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=3");
    await configure(TWO);
    expectShown(await preview(), "remove", "tls-bootstrap-worker-3-leave delete");
    expectShown(await deployFails(), "remove", "it still runs these pods");
    expect(await isCordoned("worker-3")).toBe(true);
  });

  it("a worker that stays after all keeps its identity and its pods, and takes new ones again", async () => {
    const kept = async () => [
      await lab.exec("worker-3", "sha256sum", CLIENT_CERTIFICATE),
      await lab.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid} {.items[*].status..restartCount}"),
    ];
    const before = await kept();
    await configure(THREE);
    await deploy();
    expect(await isCordoned("worker-3")).toBe(false);
    expect(await kept()).toEqual(before);
    await lab.kubectl("delete", "poddisruptionbudget/web", "deployment/web", "--now");
  });

  it("a removal names the pods that it would destroy, and destroys them when the settings say so", async () => {
    await lab.apply(
      deploymentOf("cache", 1, {
        nodeSelector: { "kubernetes.io/hostname": "worker-3" },
        volumes: [{ name: "data", emptyDir: {} }],
      }),
    );
    await lab.kubectl("rollout", "status", "deployment/cache", "--timeout=120s");
    await lab.apply(podOn("worker-3", {}, "bare"));
    await lab.kubectl("wait", "pod", "bare", "--for=condition=Ready", "--timeout=120s");
    await configure(TWO);
    expectShown(await deployFails(), "remove", "would destroy these pods");

    const { "tls-bootstrap:drain": drain } = parse(blockOf("remove", "barePods: delete", "yaml"));
    await configure(THREE, { drain });
    await deploy();
    await configure(TWO);
    await deploy();
    expectShown(await lab.kubectl("get", "nodes"), "remove", "$ kubectl get nodes");
    await lab.kubectl("delete", "deployment/cache", "--now");
    await configure(THREE, { drain: undefined });
    await deploy();
  });
});

describe("lost-machine.md", () => {
  /** Starts the lost VM, whose kubelet makes its Node anew. */
  async function comeBack(): Promise<void> {
    await lab.out("start", "worker-3");
    await eventually(async () => expect(await lab.isReady("worker-3")).toBe(true));
  }

  it("a VM that is gone costs one update, and its line can go later", async () => {
    await lab.out("stop", "worker-3", "--kill");
    await configure({ ...TWO, "worker-3": { lost: true } });
    expectShown(await preview(), "lost-machine", "update [diff: -delete,stdin]");
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2"));
    await configure(TWO);
    expectShown(await preview(), "lost-machine", "tls-bootstrap:index:Worker tls-bootstrap-worker-3 delete");
    await deploy();
  });

  it("a VM that comes back is taken back", async () => {
    await comeBack();
    expectShown(await lab.kubectl("get", "nodes"), "lost-machine", "$ kubectl get nodes");
    await configure(THREE);
    expect(await deployFails()).toContain("already exists");
    await lab.kubectl("delete", "node", "worker-3");
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2", "worker-3"));
  });

  it("a line that was deleted first is restored as lost", async () => {
    await lab.out("stop", "worker-3", "--kill");
    await configure(TWO);
    await deployFails();
    await configure({ ...TWO, "worker-3": { lost: true } });
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2"));
    await configure(TWO);
    await deploy();
    await comeBack();
    await lab.kubectl("delete", "node", "worker-3");
    await configure(THREE);
    await deploy();
  });

  it("a reimaged VM joins again with its new host key", async () => {
    const NAME = "worker-5";
    await configure({ ...TWO, [NAME]: {} });
    await deploy();
    await lab.out("up", "--workers", "4");
    await lab.out("up", "--workers", "5");
    await configure({ ...TWO, [NAME]: { hostKey: (await hostOf(lab, NAME)).hostKey } });
    const shown = (await preview()).replaceAll(NAME, "worker-3");
    expectShown(shown, "lost-machine", "update [diff: ~connection]");
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2", NAME));
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await configure(THREE);
    await deploy();
  });

  it("one with its old host key joins again by another identity of its machine", async () => {
    const run = "/opt/tls-bootstrap/scripts/run.sh";
    await lab.shell("worker-3", `. /etc/tls-bootstrap/host.conf; echo "$OWNER" | ${run} leave`);
    const [worker] = parse(blockOf("lost-machine", "machine:", "yaml")).workers;
    await configure({ ...TWO, "worker-3": { machine: worker.machine } });
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2", "worker-3"));
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await configure(THREE);
    await deploy();
  });
});

describe("rejoin.md", () => {
  it("an expired certificate is named, and a raised generation replaces it", async () => {
    const { stateDir } = await lab.facts();
    const pki = (name: string) => readFile(join(stateDir, "pki", name), "utf8");
    const ca = { certificate: await pki("ca.crt"), key: await pki("ca.key") };
    const request = { organization: "system:nodes", commonName: "system:node:worker-2" };
    const { certificate, key } = await issueCertificate(ca, request, new Date(Date.now() - 366 * 86_400_000));
    await lab.shell("worker-2", `cat >$(readlink -f ${CLIENT_CERTIFICATE}) <<'END'\n${certificate}${key}END`);
    await configure({ ...THREE, "worker-2": { kubelet: { maxPods: 50 } } });
    expectShown(await deployFails(), "rejoin", "its certificate has expired");
    await configure({ ...THREE, "worker-2": { generation: 2 } });
    expectShown(await preview("--diff"), "rejoin", "GENERATION='2'");
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2", "worker-3"));
    await configure(THREE);
    await deploy();
  });
});

describe("change.md", () => {
  const setPool = (change: object) =>
    lab.configure((settings) => Object.assign(settings["tls-bootstrap:pools"][0], change));

  it("a pool changes in batches, and a worker that fails stops them", async () => {
    const [pool] = parse(blockOf("change", "rollout: {", "yaml"))["tls-bootstrap:pools"];
    await setPool({ rollout: pool.rollout });
    const settings = parse(await readFile((await lab.facts()).configFile, "utf8"));
    const { kubelet } = settings.config["tls-bootstrap:pools"][0];
    await setPool({ kubelet: { ...kubelet, maxPods: 50 } });
    expectShown(await deploy(), "change", "tls-bootstrap-worker-3-kubelet updated");
    await setPool({ kubelet: { ...kubelet, systemReserved: { memory: "500Gi" } } });
    const before = await Promise.all(["worker-2", "worker-3"].map((name) => lab.kubeletPid(name)));
    expectShown(await deployFails(), "change", "kubelet of worker-1 does not become healthy");
    expect(await Promise.all(["worker-2", "worker-3"].map((name) => lab.kubeletPid(name)))).toEqual(before);
    await setPool({ kubelet, rollout: undefined });
    await deploy();
  });

  it("a worker gets another name", async () => {
    const { address, hostKey } = await hostOf(lab, "worker-2");
    await configure({ "worker-1": {}, "worker-3": {}, "worker-b": { name: "worker-b", address, hostKey } });
    expectShown(await preview(), "change", "tls-bootstrap-worker-b-join create");
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-3", "worker-b"));
  });

  it("a worker moves to another VM", async () => {
    await configure(TWO);
    await deploy();
    await configure({ ...TWO, "worker-2": await hostOf(lab, "worker-3") });
    expectShown(await preview(), "change", "tls-bootstrap-worker-2-leave replace");
    await deploy();
    expect(await nodes()).toEqual(ready("worker-1", "worker-2"));
    expect(await lab.unitPid("worker-2", "kubelet")).toBe("0");
  });

  it("a worker moves to another pool, and its kubelet runs on", async () => {
    const before = await lab.kubeletPid("worker-3");
    await lab.configure((settings) => {
      const [pool] = settings["tls-bootstrap:pools"];
      const [first, second] = pool.workers;
      settings["tls-bootstrap:pools"] = [
        { ...pool, workers: [first] },
        { ...pool, name: "batch", workers: [second] },
      ];
    });
    expectShown(await preview("--diff"), "change", "node-role.kubernetes.io/batch");
    await deploy();
    expect(await lab.kubeletPid("worker-3")).toBe(before);
  });
});
