import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { requireLab } from "../../../lab/labState";
import { REPOSITORY } from "../../repository";
import { changes, stacksFolder, TestLab } from "../testLab";

/** The program of examples/yaml, on the real CLI and Pulumi's language host for YAML. */
const lab = new TestLab();
jest.setTimeout(1_200_000); // the first run builds the language host

let program: string;
let options: string[];
/** What the stack has in plain text in its settings. */
let privateKey: string;

/** Writes the example's program, with where the lab has its binaries, and what a kubelet needs in a container. */
async function writeProgram(change: (settings: any) => void = () => undefined): Promise<void> {
  const text = await readFile(join(REPOSITORY, "examples/yaml/Pulumi.yaml"), "utf8");
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(30);
  const project = parse(text);
  const { config } = parse(await readFile((await lab.facts()).configFile, "utf8"));
  const settings = project.resources.nodes.properties;
  settings.downloadUrl = config["tls-bootstrap:downloadUrl"];
  settings.checksums = config["tls-bootstrap:checksums"];
  settings.pools[0].kubelet = config["tls-bootstrap:pools"][0].kubelet;
  change(settings);
  project.packages["tls-bootstrap"] = join(REPOSITORY, "provider");
  await writeFile(join(program, "Pulumi.yaml"), stringify(project));
}

beforeAll(async () => {
  await lab.follow((text) => process.stderr.write(`${text}\n`), "yaml-host");
  const { stateDir } = await lab.facts();
  program = join(stateDir, "test", "yaml");
  await mkdir(program, { recursive: true });
  privateKey = await readFile(join(stateDir, "ssh", "id_ed25519"), "utf8");
  const file = await lab.configFile("yaml", (settings) => {
    const { server, ca, kubeconfig } = settings["tls-bootstrap:cluster"];
    const [{ workers }] = settings["tls-bootstrap:pools"];
    const { address, hostKey } = workers[0];
    const own = { server, ca, kubeconfig, privateKey: settings["tls-bootstrap:ssh"].privateKey, address, hostKey };
    return Object.fromEntries(Object.entries(own).map(([name, value]) => [`yaml:${name}`, value]));
  });
  options = ["--program", program, "--stack", "yaml", "--config-file", file];
});

afterAll(() => lab.operate("destroy", ...options));

it("a preview reports all problems of the settings", async () => {
  await writeProgram((settings) => {
    settings.kubernetesVersion = "1.12.0";
    settings.ssh.user = "${privateKey}";
    settings.pools[0].workers[0].address = "a b";
  });
  expect(await lab.fails("preview", ...options)).toContain("ssh.user: is a secret, but stands in plain text");
});

it("the program joins a worker, and an idle preview shows no change and no warning", async () => {
  await writeProgram();
  const { outputs } = await lab.operate("deploy", ...options);
  expect(outputs).toMatchObject({ receipts: { "worker-1": { node: "worker-1", kubeletVersion: "v1.37.2" } } });
  expect(await lab.isReady("worker-1")).toBe(true);
  const idle = await lab.operate("preview", ...options);
  expect({ changes: changes(idle), diagnostics: idle.diagnostics }).toEqual({ changes: [], diagnostics: [] });
});

it("keys, tokens and kubeconfigs are encrypted in the state", async () => {
  const state = await readFile(join(stacksFolder(await requireLab(lab.name)), "yaml", "yaml.json"), "utf8");
  const { resources } = JSON.parse(state).checkpoint.latest;
  const nodes = resources.find(({ urn }: { urn: string }) => urn.endsWith("tls-bootstrap:index:TlsBootstrap::nodes"));
  expect(nodes.outputs.bootstrapKubeconfigs).toHaveProperty("ciphertext");
  expect(nodes.outputs.receipts).toHaveProperty("worker-1.certificate");
  expect(state).not.toContain("PRIVATE KEY");
  expect(state).not.toContain(privateKey.split("\n")[1]);
  const { items } = await lab.get<any>(
    "secrets",
    "-n",
    "kube-system",
    "--field-selector=type=bootstrap.kubernetes.io/token",
  );
  const tokens = items.map(({ data }: any) => Buffer.from(data["token-secret"], "base64").toString());
  expect(tokens).toHaveLength(1);
  expect(state).not.toContain(tokens[0]);
});
