import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { checkFiles } from "../../../../tools/check-stacks/checkFiles";
import { renderReports } from "../../../../tools/check-stacks/report";
import { checkStackFile, type StackReport } from "../../../../tools/check-stacks/stackFile";
import { REPOSITORY } from "../../../repository";
import { good } from "../../settings/goodSettings";

const ENCRYPTED = { secure: "v1:abc:def" };
const PROJECT = readFileSync(join(REPOSITORY, "Pulumi.yaml"), "utf8");
const [pool] = good.pools;

/** A stack's settings whose secrets are encrypted, as `pulumi config set --secret` writes them. */
const stack = {
  ...good,
  cluster: { kubeconfig: ENCRYPTED },
  ssh: { user: "debian", privateKey: ENCRYPTED },
};

const fileOf = (settings: object, more: object = {}): string =>
  stringify({
    encryptionsalt: "v1:salt",
    ...more,
    config: Object.fromEntries(Object.entries(settings).map(([key, value]) => [`tls-bootstrap:${key}`, value])),
  });

const check = (text: string, isSample = false, project = PROJECT): StackReport =>
  checkStackFile({ file: "stacks/Pulumi.a.yaml", text, project, isSample });

it("accepts encrypted secrets, and counts pools and workers", () =>
  expect(check(fileOf(stack))).toEqual({
    file: "stacks/Pulumi.a.yaml",
    cluster: undefined,
    pools: 1,
    workers: pool.workers.length,
    scaleGroups: 0,
    versions: [good.kubernetesVersion],
    problems: [],
    notes: [],
  }));

it("reports what a preview would, with the config key", () => {
  const { problems, workers } = check(
    fileOf({ ...stack, tokenTtl: "never", kubelet: { maxPod: 1 }, pools: [{ ...pool, name: "Upper" }] }),
  );
  expect(problems.map((problem) => problem.split(": ")[0]).sort()).toEqual([
    "tls-bootstrap:kubelet.maxPod",
    "tls-bootstrap:pools[0].name",
    "tls-bootstrap:tokenTtl",
  ]);
  expect(workers).toBe(pool.workers.length);
});

it("has the versions of pools and workers", () => {
  const workers = pool.workers.map((worker) => ({ ...worker, kubernetesVersion: "1.36.3" }));
  const other = {
    name: "other",
    workers: [{ ...workers[0], name: "other-1", address: "10.9.9.9", kubernetesVersion: undefined }],
  };
  expect(check(fileOf({ ...stack, pools: [{ ...pool, workers }, other] })).versions).toEqual([
    good.kubernetesVersion,
    "1.36.3",
  ]);
});

it("has the scale groups and their versions", () => {
  const scaleGroups = [{ name: "burst", namePrefix: "burst-", kubernetesVersion: "1.33.13", userData: {} }];
  expect(check(fileOf({ ...stack, scaleGroups }))).toMatchObject({
    scaleGroups: 1,
    versions: ["1.33.13", good.kubernetesVersion],
    problems: [],
  });
});

it.each([
  ["the platform stack", { cluster: undefined, platform: "org/platform/prod" }, "org/platform/prod"],
  ["the URL of the API server", { cluster: { ...stack.cluster, server: "https://a:6443" } }, "https://a:6443"],
])("has %s", (_, change, cluster) => expect(check(fileOf({ ...stack, ...change })).cluster).toBe(cluster));

it.each([
  ["ssh.privateKey", { ...stack, ssh: { user: "debian" } }],
  ["cluster", { ...stack, cluster: undefined }],
])("wants the secret %s in a stack's file, but not in a sample", (key, settings) => {
  expect(check(fileOf(settings)).problems).toEqual([expect.stringContaining(`tls-bootstrap:${key}: is required`)]);
  expect(check(fileOf(settings), true)).toMatchObject({
    problems: [],
    notes: [`a sample: set its secrets ${key}`],
  });
});

it("a sample must be right apart from its secrets", () =>
  expect(check(fileOf({ ...stack, ssh: { port: 0 } }), true).problems).not.toEqual([]));

it("uses the defaults of Pulumi.yaml where the stack has no value", () => {
  const project = PROJECT.replace("default: 1h", "default: forever");
  expect(check(fileOf(stack), false, project).problems).toEqual([expect.stringContaining("tls-bootstrap:tokenTtl")]);
  expect(check(fileOf({ ...stack, tokenTtl: "2h" }), false, project).problems).toEqual([]);
});

it("does not miss what an environment of Pulumi ESC may have, and says so", () =>
  expect(check(fileOf({ ...stack, ssh: undefined }, { environment: ["fleet/shared"] }))).toMatchObject({
    problems: [],
    notes: ["settings of its environment (Pulumi ESC) are not checked"],
  }));

it("reports a file that is not YAML", () =>
  expect(check("config: [").problems).toEqual([expect.stringMatching(/^is not valid YAML: /)]));

it("prints a row for each file, and the problems below", () =>
  expect(
    renderReports([
      {
        file: "Pulumi.a.yaml",
        cluster: "org/platform/a",
        ...{ pools: 2, workers: 40, scaleGroups: 1, versions: ["1.36.3", "1.37.2"], problems: [], notes: [] },
      },
      {
        file: "Pulumi.b.yaml",
        ...{ scaleGroups: 0, versions: [], problems: ["tls-bootstrap:pools: is required"], notes: ["a note"] },
      },
    ]).split("\n"),
  ).toEqual([
    "FILE            CLUSTER          POOLS   WORKERS   SCALE GROUPS   KUBERNETES       PROBLEMS",
    "Pulumi.a.yaml   org/platform/a   2       40        1              1.36.3, 1.37.2   none",
    "Pulumi.b.yaml   ?                ?       ?         0              ?                1",
    "",
    "Pulumi.b.yaml",
    "  tls-bootstrap:pools: is required",
    "  note: a note",
  ]));

/** The stack files of dev, staging and prod. Their project has what they share. */
const EXAMPLES = join(REPOSITORY, "stacks/examples");
const SAMPLES = readdirSync(EXAMPLES).filter((file) => file !== "Pulumi.yaml");

it.each(SAMPLES)("%s sets no key that the environments share", (file) => {
  const read = (name: string) => parse(readFileSync(join(EXAMPLES, name), "utf8")).config as Record<string, unknown>;
  const shared = Object.keys(read("Pulumi.yaml")).map((key) => `tls-bootstrap:${key}`);
  expect(Object.keys(read(file)).filter((key) => shared.includes(key))).toEqual([]);
});

describe("the command", () => {
  const folder = mkdtempSync(join(tmpdir(), "stacks-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...files: string[]) => {
    const printed: string[] = [];
    return { status: checkFiles(files, (text) => printed.push(text)), printed: printed.join("\n") };
  };

  it("finds every sample of this repository without a problem", () => {
    const { status, printed } = run();
    for (const file of SAMPLES) expect(printed).toMatch(new RegExp(`stacks/examples/${file} .* none$`, "m"));
    expect(printed).not.toContain("Pulumi.lab.yaml");
    expect(status).toBe(0);
  });

  it("uses the defaults of the nearest Pulumi.yaml", () => {
    const home = join(folder, "own");
    mkdirSync(join(home, "stacks"), { recursive: true });
    writeFileSync(join(home, "Pulumi.yaml"), stringify({ config: { tokenTtl: { type: "string", default: "never" } } }));
    const file = join(home, "stacks", "Pulumi.shared.yaml");
    writeFileSync(file, fileOf(stack));
    expect(run(file)).toEqual({ status: 1, printed: expect.stringContaining("tls-bootstrap:tokenTtl: 'never'") });
  });

  it("ends with 1 when a stack cannot be used", () => {
    const file = join(folder, "Pulumi.bad.yaml");
    writeFileSync(file, fileOf({ ...stack, cluster: undefined }));
    expect(run(file)).toEqual({ status: 1, printed: expect.stringContaining("tls-bootstrap:cluster: is required") });
  });

  it.each([
    ["Pulumi.gone.yaml", /Pulumi\.gone\.yaml: cannot be read: ENOENT/],
    ["other.yaml", /other\.yaml: is no stack file/],
  ])("refuses %s", (name, message) => expect(() => run(join(folder, name))).toThrow(message));
});
