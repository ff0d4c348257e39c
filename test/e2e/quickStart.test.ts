import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { requireLab } from "../../lab/labState";
import { Workspace } from "../../lab/pulumi/workspace";
import { BRING_UP_MS, hostOf, inventoryOf, removeBareWorkers } from "./bareWorkers";
import { initWithKubeadm, kubeadmClusterInfo, kubeadmRbac, removeKubeadmObjects } from "./kubeadm";
import { type Block, blocksOf } from "./pageBlocks";
import { copyRepository, REPOSITORY } from "../repository";
import { TestLab } from "./testLab";

/**
 * Executes docs/quick-start.md block by block. The cluster is the lab's, with the objects of kubeadm. The VMs are three bare workers. The test
 * fills in user, addresses and host keys, and confirms what Pulumi asks. It differs from a reader's run:
 * - the repository is a copy of this one, and `npm ci` links the packages of this one
 * - binaries come from the lab's mirror, and the kubelets accept the machine that the workers share
 */
const lab = new TestLab();
/** The lab's names of the three VMs. */
const VMS = ["worker-5", "worker-6", "worker-7"];
const NODES = ["worker-1", "worker-2", "worker-3"];

let folder: string;
let home: string;
let origin: string;
/** The current folder of the reader's shell. */
let place: string;
let environment: NodeJS.ProcessEnv;
let page: string;
let blocks: Block[];
let rbac: Awaited<ReturnType<typeof kubeadmRbac>>;
let document: Awaited<ReturnType<typeof kubeadmClusterInfo>>;
const inventories: Record<string, string> = {};

/** Executes the next block of the page. Returns its output. */
async function execute(expected: string): Promise<string> {
  const { language, text } = blocks.shift()!;
  expect(`${language}: ${text}`).toContain(`sh: ${expected}`);
  const script = [
    "set -euo pipefail",
    `npm() { [ "$*" = ci ] && ln -s '${join(REPOSITORY, "node_modules")}' node_modules; }`,
    text.replace(/https:\S+\.git/, origin),
    `pwd >'${join(folder, "place")}'`,
  ].join("\n");
  const ended = promisify(execFile)("bash", ["-c", script], { cwd: place, env: environment, maxBuffer: 1 << 26 });
  const { stdout, stderr } = await ended.catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${text}\n${error.stdout}\n${error.stderr}`);
  });
  lab.transcript.push(stdout, stderr);
  place = (await readFile(join(folder, "place"), "utf8")).trim();
  return stdout;
}

/** Makes a repository with the files of this one, committed or not. */
async function makeOrigin(): Promise<void> {
  await copyRepository(origin);
  const author = ["-c", "user.name=reader", "-c", "user.email=reader@example.org"];
  const git = (...args: string[]) => promisify(execFile)("git", ["-C", origin, ...author, ...args]);
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "A copy");
}

async function expectKubeadmUntouched(): Promise<void> {
  expect(await kubeadmClusterInfo(lab)).toEqual(document);
  expect(await kubeadmRbac(lab)).toEqual(rbac);
}

const logins = async (): Promise<number[]> => Promise.all(VMS.map((vm) => lab.sessions(vm)));

beforeAll(async () => {
  await lab.out("up", "--workers", "7", "--bare", "3");
  await initWithKubeadm(lab);
  [rbac, document] = [await kubeadmRbac(lab), await kubeadmClusterInfo(lab)];
  for (const vm of VMS) inventories[vm] = await inventoryOf(lab, vm);

  folder = await mkdtemp(join(tmpdir(), "quick-start-"));
  [home, origin, place] = [join(folder, "home"), join(folder, "tls-bootstrap.git"), join(folder, "work")];
  await Promise.all(
    [join(home, ".ssh"), place, join(folder, "states")].map((path) => mkdir(path, { recursive: true })),
  );
  await makeOrigin();
  const { paths } = await requireLab(lab.name);
  await copyFile(paths.kubeconfig, join(home, "admin.conf"));
  await copyFile(paths.sshKey, join(home, ".ssh", "deploy_key"));
  const { kubectl, configFile } = await lab.facts();
  const workspace = await Workspace.open(await requireLab(lab.name), { program: REPOSITORY, name: "lab", configFile });
  environment = {
    ...process.env,
    ...workspace.environment,
    PULUMI_BACKEND_URL: `file://${join(folder, "states")}`,
    PULUMI_STACK: undefined,
    PULUMI_SKIP_CONFIRMATIONS: "true",
    HOME: home,
    PATH: [dirname(workspace.executable), dirname(kubectl!), process.env.PATH].join(delimiter),
  };
  page = await readFile(join(REPOSITORY, "docs", "quick-start.md"), "utf8");
  blocks = blocksOf(page);
}, BRING_UP_MS);

afterAll(async () => {
  await removeKubeadmObjects(lab);
  await removeBareWorkers(lab);
  await rm(folder, { recursive: true, force: true });
});

it("gets the program", async () => {
  await execute("git clone");
  expect(place).toBe(join(folder, "work", "tls-bootstrap"));
});

it("writes the settings, creates a stack, and adds the secrets to the settings", async () => {
  const { language, text } = blocks.shift()!;
  expect(language).toBe("yaml");
  let settings = text.replace("user: ubuntu", "user: admin");
  for (const [i, vm] of VMS.entries()) {
    const { address, hostKey } = await hostOf(lab, vm);
    const sample = new RegExp(`(name: ${NODES[i]}\\n +address: ).*(\\n +hostKey: ).*`);
    settings = settings.replace(sample, `$1${address}$2${hostKey}`);
  }
  const file = join(place, "stacks", "Pulumi.prod.yaml");
  await writeFile(file, settings + (await ofTheLab()));

  await execute("pulumi stack init");
  await execute("pulumi config set --secret");
  const { encryptionsalt, config } = parse(await readFile(file, "utf8"));
  expect(encryptionsalt).toBeTruthy();
  expect(config).toMatchObject(parse(settings).config);
  for (const secret of [config["tls-bootstrap:cluster"].kubeconfig, config["tls-bootstrap:ssh"].privateKey])
    expect(secret).toEqual({ secure: expect.stringMatching(/^v1:/) });
});

it("previews the joins, and changes nothing", async () => {
  const before = await logins();
  const preview = await execute("pulumi preview --diff");
  for (const node of NODES) expect(preview).toContain(`tls-bootstrap-${node}-join`);
  expect(await logins()).toEqual(before);
  await expectKubeadmUntouched();
});

it("joins three workers, which are Ready and have a receipt each", async () => {
  const created = (text: string) => /\+ \d+ created/.exec(text)?.[0];
  expect(created(await execute("pulumi up"))).toBe(created(page));
  const shown = await execute("kubectl");
  for (const node of NODES) {
    expect(shown).toMatch(new RegExp(`^${node} +Ready `, "m"));
    expect(shown).toContain(`O=system:nodes, CN=system:node:${node}`);
  }
  await expectKubeadmUntouched();
});

it("needs no change afterwards", async () => {
  const before = await logins();
  expect(await execute("pulumi preview --expect-no-changes")).toContain("unchanged");
  expect(await logins()).toEqual(before);
});

it("removes everything, and kubeadm's objects are unchanged", async () => {
  await execute("pulumi destroy");
  expect(blocks).toEqual([]);
  expect((await lab.status()).nodes).toEqual([]);
  for (const vm of VMS) expect(await inventoryOf(lab, vm)).toBe(inventories[vm]);
  await expectKubeadmUntouched();
});

/** Settings of the lab, as lines of a stack's file. */
async function ofTheLab(): Promise<string> {
  const { config } = parse(await readFile((await lab.facts()).configFile, "utf8"));
  const settings = {
    "tls-bootstrap:downloadUrl": config["tls-bootstrap:downloadUrl"],
    "tls-bootstrap:checksums": config["tls-bootstrap:checksums"],
    "tls-bootstrap:kubelet": config["tls-bootstrap:pools"][0].kubelet,
  };
  return stringify(settings).replace(/^(?=.)/gm, "  ");
}
