import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { REPOSITORY } from "../../repository";

/** The workflows for stacks, which users copy, and the one that releases this project. */
const FOLDERS = ["examples/pull-requests/.github/workflows", ".github/workflows"].map((path) => join(REPOSITORY, path));
const paths = new Map(FOLDERS.flatMap((folder) => readdirSync(folder).map((file) => [file, join(folder, file)])));
const files = [...paths.keys()].sort();
const textOf = (file: string): string => readFileSync(paths.get(file)!, "utf8");

/** The commits of the releases, as the tags of their repositories name them. */
const PINS = {
  "actions/checkout": "11d5960a326750d5838078e36cf38b85af677262 # v4.4.0",
  "actions/setup-node": "49933ea5288caeca8642d1e84afbd3f7d6820020 # v4.4.0",
  "actions/upload-artifact": "ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
  "actions/download-artifact": "d3f86a106a0bac45b974a628896c90dbdf5c8093 # v4.3.0",
  "pulumi/actions": "8e5e406f4007fca908480587cb9893c07090f58d # v7.0.0",
};

interface Job {
  readonly permissions: Record<string, string>;
  readonly environment?: string;
  readonly strategy?: { readonly matrix: { readonly stack: string[] } };
  readonly env?: Record<string, string>;
  readonly concurrency?: { readonly group: string };
  readonly steps: { readonly uses?: string; readonly run?: string; readonly env?: object; readonly with?: any }[];
}

interface Workflow {
  readonly on: Record<string, any>;
  readonly permissions: object;
  readonly jobs: Record<string, Job>;
}

const workflows = new Map(files.map((file) => [file, parse(textOf(file)) as Workflow]));
const jobs = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).map(([name, job]) => ({ at: `${file} ${name}`, job })),
);
const commandsOf = ({ steps }: Job): string => steps.map(({ run = "" }) => run).join("\n");

it("there is a workflow for each task", () =>
  expect(files).toEqual(["deploy.yml", "drift.yml", "preview.yml", "release.yml", "renew.yml"]));

it.each(files)("%s pins each action by the commit of a release", (file) => {
  const uses = [...textOf(file).matchAll(/uses: ([^@\s]+)@(.*)/g)];
  expect(uses.length).toBeGreaterThan(0);
  for (const [, action, pin] of uses)
    expect({ action, pin }).toEqual({ action, pin: PINS[action as keyof typeof PINS] });
});

it("no token may do more than its job needs", () => {
  for (const { permissions } of workflows.values()) expect(permissions).toEqual({});
  expect(Object.fromEntries(jobs.map(({ at, job }) => [at, job.permissions]))).toEqual({
    "deploy.yml preview": { contents: "read" },
    "deploy.yml up": { contents: "read" },
    "drift.yml drift": { contents: "read", deployments: "read" },
    "preview.yml comment": { "pull-requests": "write" },
    "preview.yml preview": { contents: "read" },
    "release.yml package": { contents: "read" },
    "release.yml publish": { contents: "write", "id-token": "write" },
    "renew.yml up": { contents: "read", deployments: "read" },
  });
});

it("a job that may write runs no code of the repository, and has no secret", () => {
  for (const { job } of jobs.filter(({ job }) => Object.values(job.permissions).includes("write"))) {
    expect(job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout"))).toEqual([]);
    expect(commandsOf(job)).not.toMatch(/npm (ci|install|run)/);
    expect(JSON.stringify(job)).not.toContain("secrets.");
  }
});

it("no checkout keeps the token for later steps", () => {
  for (const { at, job } of jobs)
    for (const { uses, with: inputs } of job.steps)
      if (uses?.startsWith("actions/checkout"))
        expect({ at, keeps: inputs["persist-credentials"] }).toEqual({ at, keeps: false });
});

it("pull requests of forks get no secrets", () => {
  expect(workflows.get("preview.yml")!.on).toEqual({ pull_request: null });
  expect(textOf("preview.yml")).toContain("github.event.pull_request.head.repo.full_name == github.repository");
});

it("nothing that a pull request writes is part of a script", () => {
  for (const { job } of jobs) expect(commandsOf(job)).not.toContain("${{");
});

it("a stack is deployed in the environment of its name, whose reviewers approve it", () =>
  expect(workflows.get("deploy.yml")!.jobs.up).toMatchObject({
    environment: "${{ matrix.stack }}",
    strategy: { "max-parallel": 1 },
  }));

it("two updates of a stack do not run at once", () => {
  for (const { job } of jobs.filter(({ job }) => commandsOf(job).includes("pulumi up")))
    expect(job.concurrency?.group).toBe("stack-${{ matrix.stack }}");
});

it("every update has the policy pack", () => {
  for (const { job } of jobs)
    for (const [line] of commandsOf(job).matchAll(/pulumi up.*/g)) expect(line).toContain("--policy-pack policy");
});

it("all jobs for stacks are for the same ones", () => {
  const stacks = jobs.filter(({ at }) => !at.startsWith("release")).map(({ job }) => job.strategy?.matrix.stack);
  expect(stacks).toEqual(stacks.map(() => ["dev", "staging", "prod"]));
});

it("a release is published with provenance, by the identity of the workflow alone", () => {
  const { publish } = workflows.get("release.yml")!.jobs;
  expect(commandsOf(publish)).toMatch(/^npm publish .*--provenance --access public$/m);
  expect(publish.environment).toBe("release");
});

it("runs only commands that this repository has", () => {
  const { scripts } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as { scripts: object };
  const called = jobs.flatMap(({ job }) =>
    [...commandsOf(job).matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name]) => name),
  );
  expect(called.length).toBeGreaterThan(2);
  expect(called.filter((name) => !(name in scripts))).toEqual([]);
});
