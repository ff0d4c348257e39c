import { writeFileSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { changes, TestLab } from "./testLab";
import { copyProgram, REPOSITORY } from "../repository";

/** Several stacks in one lab, and CLI commands on them. */
const lab = new TestLab();
const PLATFORM = join(REPOSITORY, "examples/platform-outputs");
const SAMPLES = join(REPOSITORY, "stacks/examples");

/** Options for a stack of the platform example with its own API server. */
async function stackOf(name: string): Promise<string[]> {
  const file = await lab.configFile(name, (settings) => ({
    "platform-outputs:server": `https://${name}.example.org:6443`,
    "platform-outputs:ca": name,
    "platform-outputs:kubeconfig": settings["tls-bootstrap:cluster"].kubeconfig,
    "platform-outputs:kubernetesVersion": settings["tls-bootstrap:kubernetesVersion"],
  }));
  return ["--program", PLATFORM, "--stack", name, "--config-file", file];
}

it("keeps stacks apart", async () => {
  const [blue, green] = [await stackOf("blue"), await stackOf("green")];
  await lab.operate("deploy", ...blue);
  await lab.operate("deploy", ...green);
  expect(await lab.json("output", ...blue)).toMatchObject({ server: "https://blue.example.org:6443" });
  expect(await lab.json("output", ...green)).toMatchObject({ server: "https://green.example.org:6443" });

  await lab.operate("destroy", ...blue);
  expect(await lab.json("output", ...green)).toMatchObject({ server: "https://green.example.org:6443" });
  expect((await lab.operate("preview", "--expect-no-changes", ...green)).ok).toBe(true);
});

it("runs any command of the CLI on the lab's backend, with the stack's settings", async () => {
  const green = await stackOf("green");
  const stacks = JSON.parse(await lab.out("pulumi", ...green, "--", "stack", "ls", "--json"));
  // The lab has another stack when another test has deployed it.
  const ours = stacks.filter(({ name }: any) => ["blue", "green"].includes(name));
  expect(ours.map(({ name, current }: any) => [name, current])).toEqual([
    ["blue", false],
    ["green", true],
  ]);
  expect(await lab.out("pulumi", ...green, "--", "config", "get", "server")).toBe("https://green.example.org:6443\n");
  expect((await lab.run("pulumi", ...green, "--", "config", "get", "nothing")).status).toBe(1);

  await lab.out("pulumi", ...green, "--", "destroy", "--yes", "--skip-preview");
  for (const name of ["blue", "green"])
    await lab.out("pulumi", ...green, "--", "stack", "rm", name, "--yes", "--preserve-config");
});

it("previews a sample with what the environments share, by the program that its Pulumi.yaml names", async () => {
  const sample = parse(await readFile(join(SAMPLES, "Pulumi.dev.yaml"), "utf8")) as { config: object };
  const file = await lab.configFile("dev", (settings) => ({
    ...sample.config,
    "tls-bootstrap:cluster": settings["tls-bootstrap:cluster"],
    "tls-bootstrap:ssh": settings["tls-bootstrap:ssh"],
  }));
  const dev = ["--program", SAMPLES, "--stack", "dev", "--config-file", file];
  const preview = await lab.out("pulumi", ...dev, "--", "preview", "--json");
  await lab.out("pulumi", ...dev, "--", "stack", "rm", "dev", "--yes", "--preserve-config");
  for (const shared of ["DOWNLOAD_URL='https://mirror.example.com/kubernetes'", "cpu: 200m", "- 10.100.0.10"])
    expect(preview).toContain(shared);
  expect(preview).toContain("maxPods: 30");
  expect(preview).not.toContain("cluster-info");
});

it("lets the program of examples/automation add a worker", async () => {
  const { stateDir } = await lab.facts();
  const workersFile = join(stateDir, "test", "workers.yaml");
  let second: { name: string; address: string; hostKey: string };
  const file = await lab.configFile("automation", (settings) => {
    const [{ workers, ...pool }] = settings["tls-bootstrap:pools"];
    second = workers[1];
    writeFileSync(workersFile, stringify(workers.slice(0, 1)));
    settings["tls-bootstrap:pools"] = [{ ...pool, workersFile }];
    return settings;
  });
  await lab.operate("deploy", "--config-file", file);
  const { name, address, hostKey } = second!;
  // Pulumi writes into the stack file of the program.
  const folder = await mkdtemp(join(tmpdir(), "automation-"));
  const copy = join(folder, "program");
  await copyProgram(copy);
  await copyFile(file, join(copy, "stacks", "Pulumi.lab.yaml"));
  const program = join(copy, "examples", "automation", "addWorker.ts");
  const run = ["npx", "tsx", program, "lab", workersFile, name, address, hostKey];
  expect(JSON.parse(await lab.out("env", "--", ...run))).toMatchObject({ node: name });
  expect(await lab.isReady(name)).toBe(true);
  expect(JSON.parse(await lab.out("env", "--", ...run))).toMatchObject({ node: name });
  expect(changes(await lab.operate("preview", "--config-file", file))).toEqual([]);
  await lab.operate("destroy", "--config-file", file);
  await rm(folder, { recursive: true });
});
