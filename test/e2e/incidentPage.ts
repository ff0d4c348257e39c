import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { type Lab, requireLab } from "../../lab/labState";
import { Workspace } from "../../lab/pulumi/workspace";
import { copyProgram, REPOSITORY } from "../repository";
import { Api, liveTokens } from "./api";
import { blocksOf } from "./pageBlocks";
import { TestLab } from "./testLab";

/** The reader of docs/incidents.md: a lab, a copy of the program with a state of its own, and a shell. */
export const lab = new TestLab();
export const NODES = ["worker-1", "worker-2"];
/** The machine whose key is stolen. The lab can remove its last worker and make it anew, as one reimages a VM. */
export const VICTIM = "worker-5";

export const page = { blocks: [] as string[], executed: new Set<string>() };
export let root: string;
export let program: string;
export let paths: Lab["paths"];
export let environment: NodeJS.ProcessEnv;

/** Runs a script in the reader's shell. Its variables last from one script to the next. */
export async function shell(script: string): Promise<string> {
  const variables = join(root, "variables");
  const options = { UserKnownHostsFile: paths.knownHosts, GlobalKnownHostsFile: "/dev/null", IdentityAgent: "none" };
  const flags = Object.entries(options).map(([key, value]) => `-o ${key}=${value}`);
  const text = [
    "set -euo pipefail",
    `. '${variables}'`,
    `ssh() { command ssh -F none ${flags.join(" ")} -o IdentitiesOnly=yes "$@"; }`,
    "set -a",
    script,
    `export -p >'${variables}'`,
  ].join("\n");
  const ended = promisify(execFile)("bash", ["-c", text], { cwd: program, env: environment, maxBuffer: 1 << 26 });
  const { stdout, stderr } = await ended.catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${script}\n${error.stdout}\n${error.stderr}`);
  });
  return stdout + stderr;
}

/** Executes the block of the page that has these words, with these values of its variables. Returns its output. */
export async function execute(words: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const [block, ...others] = page.blocks.filter((text) => text.includes(words));
  expect([words, typeof block, others]).toEqual([words, "string", []]);
  page.executed.add(block);
  let script = block;
  for (const [name, value] of Object.entries(variables)) {
    const assignment = new RegExp(`(?<=^|\\s)${name}=("[^"]*"|\\S+)`);
    expect(script).toMatch(assignment);
    script = script.replace(assignment, `${name}='${value}'`);
  }
  return shell(script);
}

/** Changes the stack's settings, as the reader would edit the file. */
export async function configure(change: (settings: Record<string, any>) => void): Promise<void> {
  const file = join(program, "stacks", "Pulumi.lab.yaml");
  const document = parse(await readFile(file, "utf8"));
  change(document.config);
  await writeFile(file, stringify(document, { lineWidth: 0 }));
}

export const workersOf = (settings: Record<string, any>): any[] => settings["tls-bootstrap:pools"][0].workers;

export const outputs = async (): Promise<any> =>
  JSON.parse(await shell("pulumi stack output --json --show-secrets 2>/dev/null"));

/** A client of the API server with a client certificate and its key, both in PEM. */
export async function connectWithCertificate(certificate: string, key = certificate): Promise<Api> {
  const kubeconfig = parse(await readFile(paths.kubeconfig, "utf8"));
  kubeconfig.users[0].user = {
    "client-certificate-data": Buffer.from(certificate).toString("base64"),
    "client-key-data": Buffer.from(key).toString("base64"),
  };
  return new Api(stringify(kubeconfig));
}

export async function start(...pods: object[]): Promise<void> {
  await lab.apply({ apiVersion: "v1", kind: "List", items: pods });
  await lab.kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=180s");
}

export async function setUp(): Promise<void> {
  await lab.out("up", "--workers", "5");
  root = await mkdtemp(join(tmpdir(), "incidents-"));
  program = join(root, "program");
  await copyProgram(program);
  await mkdir(join(root, "states"));
  await writeFile(join(root, "variables"), "");

  ({ paths } = await requireLab(lab.name));
  const { kubectl, configFile } = await lab.facts();
  const workspace = await Workspace.open(await requireLab(lab.name), { program: REPOSITORY, name: "lab", configFile });
  environment = {
    ...process.env,
    ...workspace.environment,
    PULUMI_BACKEND_URL: `file://${join(root, "states")}`,
    PULUMI_SKIP_CONFIRMATIONS: "true",
    KUBECONFIG: paths.kubeconfig,
    PATH: [dirname(workspace.executable), dirname(kubectl!), process.env.PATH].join(delimiter),
  };
  page.blocks = blocksOf(await readFile(join(REPOSITORY, "docs", "incidents.md"), "utf8")).map(({ text }) => text);

  await cp(configFile, join(program, "stacks", "Pulumi.lab.yaml"));
  await configure((settings) => {
    const workers = workersOf(settings);
    settings["tls-bootstrap:pools"][0].workers = workers.filter(({ name }) => [...NODES, VICTIM].includes(name));
    settings["tls-bootstrap:drain"] = { barePods: "delete" };
    settings["tls-bootstrap:scaleGroups"] = [{ name: "burst", namePrefix: "burst-" }];
  });
  await shell("pulumi stack init lab; pulumi up");
}

export async function tearDown(): Promise<void> {
  // First, with the stack's new SSH key and kubeconfig.
  await shell("pulumi destroy").finally(() => rm(root, { recursive: true, force: true }));
  await lab.run("kubectl", "delete", "secret", "used");
  await lab.run("kubectl", "delete", "clusterrolebinding", "another-admin");
  const tokens = (await liveTokens(lab)).map(({ metadata }) => metadata.name as string);
  if (tokens.length > 0) await lab.kubectl("delete", "secrets", "-n", "kube-system", ...tokens);
  await lab.out("up", "--workers", "4", "--reset-flags");
  const key = (await readFile(`${paths.sshKey}.pub`, "utf8")).trim();
  for (const worker of [...NODES, "worker-3"])
    await lab.shell(worker, `echo '${key}' >/home/admin/.ssh/authorized_keys`);
}
