import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { createAuthority } from "../../../lab/control-plane/certificates";
import { REPOSITORY } from "../../repository";
import { blocksOf } from "../pageBlocks";
import { PageCommands } from "../pageCommands";
import { eventually, TestLab } from "../testLab";
import { upstreamFile } from "../upstream";

/** docs/metrics-server.md, with metrics-server itself. Each test builds on the tests before it. */
const lab = new TestLab();
jest.setTimeout(1_200_000); // the first run builds metrics-server

const THREE = ["worker-1", "worker-2", "worker-3"];
const DEPLOYMENT = ["-n", "kube-system", "deployment/metrics-server"];
let folder: string;
let page: string;
let commands: PageCommands;

/** Runs the page's block that has these words. Its folder is the test's. */
const execute = (words: string): Promise<string> =>
  commands.out(words, (text) => text.replace(/(?<= |> )metrics-server(?=\/|\n)/g, folder));

const setCa = (...certificates: string[]): Promise<void> =>
  writeFile(join(folder, "kubelet-serving-ca.crt"), certificates.join(""));
const servingCa = async () => (await lab.json<{ servingCa: string }>("output")).servingCa;
const apply = () => lab.kubectl("apply", "-k", folder);
/** The log of each pod, the oldest pod first. */
const logs = async (): Promise<string[]> => {
  const pods = ["pods", "-n", "kube-system", "-l", "k8s-app=metrics-server", "--sort-by=.metadata.creationTimestamp"];
  const { items } = await lab.get<{ items: any[] }>(...pods);
  return Promise.all(items.map(({ metadata }) => lab.kubectl("logs", "-n", "kube-system", metadata.name)));
};

beforeAll(async () => {
  await lab.follow((text) => process.stderr.write(`${text}\n`), "images", "metrics-server");
  await lab.out("binaries", "kube-proxy");
  await lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(THREE.length);
    settings["tls-bootstrap:kubeProxy"].mode = "unit";
  });
  await lab.operate("deploy");

  folder = join((await lab.facts()).stateDir, "test", "metrics-server");
  await mkdir(folder, { recursive: true });
  page = await readFile(join(REPOSITORY, "docs/metrics-server.md"), "utf8");
  commands = new PageCommands(lab, page);
  const release = await lab.kubectl("kustomize", upstreamFile("metricsServer", "manifests/overlays/release"));
  await writeFile(join(folder, "components.yaml"), release);
  const [{ text }] = blocksOf(page, ["yaml"]);
  const kustomization = text.replace(/https:.*(?=components.yaml)/, "");
  await writeFile(join(folder, "kustomization.yaml"), kustomization);
});

afterAll(async () => {
  await lab.run("kubectl", "delete", "-k", folder, "--ignore-not-found");
  const maps = (await lab.kubectl("get", "configmaps", "-n", "kube-system", "-o", "name")).split("\n");
  const ours = maps.filter((name) => name.startsWith("configmap/kubelet-serving-ca"));
  await lab.run("kubectl", "delete", "-n", "kube-system", ...ours);
  await lab.run("destroy");
  await rm(folder, { recursive: true, force: true });
});

it("reads all kubelets, which it verifies by the stack's CA", async () => {
  await execute("pulumi stack output servingCa");
  const shown = await execute("kubectl top nodes");
  for (const worker of THREE) expect(shown).toMatch(new RegExp(`^${worker} +\\d+m +\\d+% +\\d+Mi +\\d+% *$`, "m"));
  expect(await execute("kubectl logs")).not.toContain("x509");
});

it("reads no kubelet by another CA: its new pod does not become ready, and the old one stays", async () => {
  await setCa((await createAuthority("foreign", new Date())).certificate);
  await apply();
  const refused = THREE.map((worker) => expect.stringContaining(`node="${worker}"`));
  await eventually(async () => {
    const lines = (await logs())[1].split("\n").filter((line) => line.includes("signed by unknown authority"));
    expect(lines).toEqual(expect.arrayContaining(refused));
  }, 120);
  const { status } = await lab.run("kubectl", "rollout", "status", ...DEPLOYMENT, "--timeout=40s");
  expect(status).not.toBe(0);
  expect(await lab.kubectl("top", "nodes")).toContain("worker-1");
});

it("reads all kubelets again by a bundle that has the stack's CA, too", async () => {
  await setCa((await createAuthority("foreign", new Date())).certificate, await servingCa());
  await apply();
  await lab.kubectl("rollout", "status", ...DEPLOYMENT, "--timeout=120s");
  await eventually(async () => expect(await logs()).toHaveLength(1));
  for (const worker of THREE) expect(await lab.kubectl("top", "node", worker)).toContain(worker);
});

it("the page's program reads the CA from the stack", async () => {
  const program = join(folder, "program");
  await mkdir(program);
  const [{ text }] = blocksOf(page, ["ts"]);
  await writeFile(join(program, "index.ts"), text.replace("acme/tls-bootstrap/prod", "organization/tls-bootstrap/lab"));
  const runtime = { name: "nodejs", options: { tsconfig: join(REPOSITORY, "tsconfig.pulumi.json") } };
  await writeFile(join(program, "Pulumi.yaml"), stringify({ name: "metrics", main: "index.ts", runtime }));
  const file = await lab.configFile("metrics", (settings) => ({
    "kubernetes:kubeconfig": settings["tls-bootstrap:cluster"].kubeconfig,
  }));
  const options = ["--program", program, "--stack", "metrics", "--config-file", file];
  const { outputs } = await lab.operate("deploy", ...options);
  const map = await lab.get<any>("configmap", "-n", "kube-system", String(outputs?.ca));
  expect(map.data).toEqual({ "kubelet-serving-ca.crt": await servingCa() });
  await lab.operate("destroy", ...options);
});
