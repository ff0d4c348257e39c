import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { requireLab } from "../../../lab/labState";
import { REPOSITORY } from "../../repository";
import { BRING_UP_MS, inventoryOf } from "../bareWorkers";
import { blocksOf, missingFrom } from "../pageBlocks";
import { podOn } from "../pods";
import { changes, eventually, stacksFolder, TestLab, VERSION } from "../testLab";

/** examples/platform, from a bare machine to nodes that have joined, and back. Each test builds on the tests before it. */
const lab = new TestLab();
const PROGRAM = join(REPOSITORY, "examples/platform");
const CONTROLLER = "controller-1";
const UNITS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
const README = readFileSync(join(PROGRAM, "README.md"), "utf8");

/** Options for the platform stack, and for the stack of workers. */
let platform: string[];
let workers: string[];
let inventory: string;
let kubeconfigFile: string;

jest.setTimeout(600_000);

beforeAll(async () => {
  await lab.out("up", "--controllers", "1");
  const { platformConfigFile, stateDir } = await lab.facts();
  platform = ["--program", PROGRAM, "--stack", "platform", "--config-file", platformConfigFile];
  kubeconfigFile = join(stateDir, "test", "platform.kubeconfig");
  const file = await lab.configFile("workers", ({ "tls-bootstrap:cluster": _, ...settings }) => {
    settings["tls-bootstrap:platform"] = "organization/platform/platform";
    settings["tls-bootstrap:pools"][0].workers.splice(2);
    return settings;
  });
  workers = ["--stack", "workers", "--config-file", file];
  inventory = await inventoryOf(lab, CONTROLLER);
}, BRING_UP_MS);

afterAll(async () => {
  await lab.run("destroy", ...workers);
  await lab.run("destroy", ...platform);
  await lab.out("up", "--controllers", "0");
});

/** Writes the administrator's kubeconfig to a file, and returns it. */
async function readKubeconfig(): Promise<string> {
  const { kubeconfig } = await lab.json<{ kubeconfig: string }>("output", "--show-secrets", ...platform);
  await writeFile(kubeconfigFile, kubeconfig, { mode: 0o600 });
  return kubeconfig;
}

async function kubectl(...args: string[]): Promise<string> {
  const { kubectl: program } = await lab.facts();
  return (await promisify(execFile)(program!, ["--kubeconfig", kubeconfigFile, ...args])).stdout;
}

/** The main process of each unit. */
const pids = async (): Promise<Record<string, string>> =>
  Object.fromEntries(await Promise.all(UNITS.map(async (unit) => [unit, await lab.unitPid(CONTROLLER, unit)])));

/** Changes the flags in the stack's config. */
async function setFlags(flags: Record<string, Record<string, string>>): Promise<void> {
  const file = platform.at(-1)!;
  const document = parse(await readFile(file, "utf8"));
  document.config["platform:flags"] = flags;
  await writeFile(file, stringify(document, { lineWidth: 0 }));
}

/** The block of the README with these words. */
const shownAt = (words: string): string => blocksOf(README, ["text"]).find(({ text }) => text.includes(words))!.text;

it("makes a control plane on a bare machine, whose keys only root can read", async () => {
  const { outputs } = await lab.operate("deploy", ...platform);
  expect(outputs).toMatchObject({ formatVersion: 1, kubernetesVersion: VERSION, kubeconfig: "[secret]" });
  await readKubeconfig();
  expect(JSON.parse(await kubectl("version", "-o", "json")).serverVersion.gitVersion).toBe(`v${VERSION}`);
  expect(await lab.shell(CONTROLLER, `find /etc/kubernetes -type f ! -perm 0600 -o ! -user root`)).toBe("");
  expect(
    await lab.shell(CONTROLLER, `ps -o user= -p ${Object.values(await pids()).join()} | grep -c root || true`),
  ).toBe("0\n");
  const state = join(stacksFolder(await requireLab(lab.name)), "platform", "platform.json");
  expect(await readFile(state, "utf8")).not.toContain("PRIVATE KEY");
  expect(changes(await lab.operate("preview", ...platform))).toEqual([]);
});

it("keeps Secrets encrypted in etcd", async () => {
  await kubectl("create", "secret", "generic", "hidden", "--from-literal=word=k4r4m8ol4");
  await kubectl("create", "configmap", "open", "--from-literal=word=m4ng0st33n");
  const stored = (word: string) => lab.shell(CONTROLLER, `grep -rlaF ${word} /var/lib/etcd/ | wc -l`);
  expect([await stored("k4r4m8ol4"), (await stored("m4ng0st33n")) !== "0\n"]).toEqual(["0\n", true]);
});

it("lets workers join by a reference to the stack, and its API server calls verified kubelets", async () => {
  await lab.operate("deploy", ...workers);
  expect(await kubectl("get", "nodes", "--no-headers", "-o", "custom-columns=:.metadata.name")).toBe(
    "worker-1\nworker-2\n",
  );
  const file = await lab.writeManifest(podOn("worker-1"));
  await eventually(() => kubectl("apply", "-f", file));
  await kubectl("wait", "pod", "on-worker-1", "--for=condition=Ready", "--timeout=120s");
  expect(await kubectl("logs", "on-worker-1")).toBe("a line\n");
  // With another CA, the API server would not call this kubelet.
  const { kubeletServingCa } = await lab.json<any>("output", ...platform);
  expect((await lab.json<any>("output", ...workers)).servingCa).toBe(kubeletServingCa.certificate);
  await kubectl("delete", "pod", "on-worker-1", "--now");
});

it("shows a changed flag as a line, and restarts that component alone", async () => {
  await setFlags({ "kube-controller-manager": { "kube-api-qps": "300" } });
  const shown = await lab.out("preview", "--diff", ...platform);
  expect(missingFrom(shown, shownAt("--kube-api-qps=300"))).toEqual([]);
  const before = await pids();
  const unit = "kube-controller-manager";
  expect(changes(await lab.operate("deploy", ...platform))).toEqual([`update ${CONTROLLER}-${unit}`]);
  const after = await pids();
  expect(after).toEqual({ ...before, [unit]: after[unit] });
  expect(after[unit]).not.toBe(before[unit]);
});

it("puts the previous files back when a component does not come up with a flag", async () => {
  const flags = { "kube-controller-manager": { "kube-api-qps": "300" } };
  await setFlags({ ...flags, "kube-scheduler": { nonsense: "true" } });
  const errors = await lab.fails("deploy", ...platform);
  expect(missingFrom(errors, shownAt("the previous ones were put back"))).toEqual([]);
  expect(errors).toContain("unknown flag: --nonsense");
  expect(await lab.exec(CONTROLLER, "systemctl", "is-active", "kube-scheduler")).toBe("active\n");
  await setFlags(flags);
});

it("gives the administrator a new certificate without a restart, and renews a certificate that is due", async () => {
  const old = await readKubeconfig();
  await lab.ageCertificate("pki-scheduler", 246 * 24, "platform/platform");
  const before = await pids();
  const result = await lab.operate("deploy", "--replace", "**::pki-admin-key", ...platform);
  const commands = changes(result).filter((line) => line.includes(CONTROLLER));
  expect(commands).toEqual([`update ${CONTROLLER}-kube-scheduler-credentials`]);
  const after = await pids();
  expect(after).toEqual({ ...before, "kube-scheduler": after["kube-scheduler"] });
  expect(await readKubeconfig()).not.toBe(old);
  expect(await kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")).toBe("platform-admin");
  expect(changes(await lab.operate("deploy", ...workers))).toEqual(["update cluster"]);
});

it("goes without a trace", async () => {
  await lab.operate("destroy", ...workers);
  await lab.operate("destroy", ...platform);
  expect(await inventoryOf(lab, CONTROLLER)).toBe(inventory);
  expect(await lab.shell(CONTROLLER, "pgrep -a 'kube|etcd' || true")).toBe("");
  expect(await lab.shell(CONTROLLER, "systemctl list-units --all --no-legend 'kube*' 'etcd*' 'tls-bootstrap*'")).toBe(
    "",
  );
});
