import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import repository from "../../../package.json";
import { REPOSITORY } from "../../repository";
import { changes, TestLab } from "../testLab";

/** The npm package, installed in a project of its own, whose program is the one in the package's README. */
const lab = new TestLab();
const PINNED = [
  ...["@pulumi/command", "@pulumi/kubernetes", "@pulumi/pulumi", "@pulumi/random", "@pulumi/tls"],
  ...["ts-node", "typescript"],
] as const;

let project: string;
let options: string[];

const execute = promisify(execFile);

/** Runs npm or npx. Returns what it printed. */
const inProject = async (program: string, ...args: string[]): Promise<string> =>
  (await execute(program, args, { cwd: project, maxBuffer: 1 << 26 })).stdout;

beforeAll(async () => {
  project = join((await lab.facts()).stateDir, "test", "packaged");
  await mkdir(project, { recursive: true });
  const { stdout } = await execute("npm", ["run", "--silent", "package", "--", "--output", project], {
    cwd: REPOSITORY,
  });
  const readme = await readFile(join(REPOSITORY, "tools", "package", "README.md"), "utf8");
  const write = (name: string, text: string) => writeFile(join(project, name), text);
  await write("index.ts", /```ts\n(.*?)```/s.exec(readme)![1]);
  await write("Pulumi.yaml", "name: my-nodes\nruntime: nodejs\n");
  const pinned = Object.fromEntries(PINNED.map((name) => [name, repository.dependencies[name]]));
  const dependencies = { "tls-bootstrap": `file:${stdout.trim()}`, ...pinned };
  const devDependencies = { "@types/node": repository.devDependencies["@types/node"] };
  await write("package.json", JSON.stringify({ main: "index.ts", private: true, dependencies, devDependencies }));
  await inProject("npm", "install", "--no-audit", "--no-fund", "--prefer-offline");

  const file = await lab.configFile("packaged", (settings) => {
    const setting = (name: string) => settings[`tls-bootstrap:${name}`];
    const { server, ca, kubeconfig } = setting("cluster");
    const [pool] = setting("pools");
    const own = {
      server,
      ca,
      kubeconfig,
      privateKey: setting("ssh").privateKey,
      pools: [{ ...pool, workers: pool.workers.slice(0, 1) }],
    };
    const same = ["kubernetesVersion", "downloadUrl", "checksums"].map((name) => [name, setting(name)]);
    return Object.fromEntries([...Object.entries(own), ...same].map(([name, value]) => [`my-nodes:${name}`, value]));
  });
  options = ["--program", project, "--stack", "packaged", "--config-file", file];
});

afterAll(() => lab.run("destroy", ...options));

it("has types that need nothing that it does not bring", async () => {
  const strict = ["--strict", "--module", "nodenext", "--target", "es2022", "--types", "node", "--noEmit"];
  await inProject("npx", "tsc", ...strict, "--skipLibCheck", "index.ts");
  // The SDKs' own declarations may have errors.
  const { stdout } = await execute("npx", ["tsc", ...strict, "index.ts"], { cwd: project }).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).not.toMatch(/node_modules\/tls-bootstrap/);
});

it("brings no development tools and no second copy of the SDK", async () => {
  const tree = JSON.parse(await inProject("npm", "ls", "--all", "--json"));
  const names = new Set<string>();
  const walk = ({ dependencies = {} }: any) =>
    Object.entries<any>(dependencies).forEach(([name, node]) => (names.add(name), walk(node)));
  walk({ dependencies: { "tls-bootstrap": tree.dependencies["tls-bootstrap"] } });
  expect([...names]).toEqual(expect.arrayContaining(["zod", "yaml", "@pulumi/pulumi"]));
  expect([...names].filter((name) => /jest|eslint|tsx|@types\/jest/.test(name))).toEqual([]);
  expect(JSON.stringify(tree)).not.toContain('"invalid"');
  expect(
    (await inProject("find", "node_modules", "-path", "*@pulumi/pulumi/package.json")).trim().split("\n"),
  ).toHaveLength(1);
});

it("joins a worker, and an idle preview shows no change", async () => {
  await lab.operate("deploy", ...options);
  expect(await lab.isReady("worker-1")).toBe(true);
  expect(changes(await lab.operate("preview", ...options))).toEqual([]);
});

it("has the provider for other languages, with a schema that Pulumi accepts", async () => {
  const provider = join(project, "node_modules/tls-bootstrap/provider");
  const schema = JSON.parse(await lab.out("pulumi", ...options, "--", "package", "get-schema", provider));
  expect(schema).toMatchObject({ name: "tls-bootstrap", version: repository.version });
  expect(schema.resources["tls-bootstrap:index:TlsBootstrap"].requiredInputs).toContain("pools");
});
