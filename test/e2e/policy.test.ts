/** @independent */
import { join } from "node:path";
import { policies } from "../../policy/policies";
import { type Run, TestLab } from "./testLab";
import { REPOSITORY } from "../repository";

const lab = new TestLab();

const PACK = join(REPOSITORY, "policy");
const PROGRAM = join(__dirname, "programs", "insecure");

/** Previews the insecure program with the policy pack. */
async function preview(violates: string): Promise<Run> {
  const { kubeconfig } = await lab.facts();
  const file = await lab.configFile("insecure", () => ({
    "insecure:kubeconfig": kubeconfig,
    "insecure:violates": violates,
  }));
  return inProgram("preview", "--policy-pack", PACK, "--non-interactive", "--color", "never")(file);
}

const inProgram =
  (...args: string[]) =>
  (configFile: string): Promise<Run> =>
    lab.run("pulumi", "--program", PROGRAM, "--stack", "insecure", "--config-file", configFile, "--", ...args);

/**
 * The violations in the output. Each has a line with level, policy and resource, one with the policy's description, and one with the
 * problem.
 */
const violations = ({ stdout }: Run): string[] =>
  [...stdout.matchAll(/- \[mandatory\] +(\S+) +\((.*)\)\n.*\n +(\S+): /g)].map(
    ([, policy, resource, place]) => `${policy}: ${resource}: ${place}`,
  );

afterAll(async () => {
  await inProgram("stack", "rm", "--yes")(await lab.configFile("insecure", () => ({})));
});

it("the program of this repository passes, with the command of the README", async () => {
  const run = await lab.run("pulumi", "--", "preview", "--policy-pack", "policy", "--non-interactive");
  expect(run.stderr + run.stdout).toContain("tls-bootstrap@v0.1.0 (local: policy)");
  expect(run.stderr + run.stdout).not.toContain("warning:");
  expect(run).toMatchObject({ status: 0 });
  expect(violations(run)).toEqual([]);
});

it("a program that violates no policy passes all six", async () => {
  const run = await preview("none");
  expect(run.stdout).toContain("✅ tls-bootstrap@v0.1.0");
  expect(run).toMatchObject({ status: 0 });
  expect(violations(run)).toEqual([]);
});

const BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";

const expected: readonly (readonly [policy: string, violation: string])[] = [
  ["ssh-host-key-pinned", "command:remote:Command: login: connection.hostKey"],
  ["bootstrap-token-ttl", "kubernetes:core/v1:Secret: token: expiration"],
  ["no-bare-bootstrappers", `${BINDING}: bootstrappers: subjects[0]`],
  ["no-admin-for-nodes", `${BINDING}: nodes: subjects[0]`],
  ["anonymous-access", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding: cluster-info: subjects[0]"],
  ["no-secrets-in-the-open", "command:remote:Command: login: create"],
];

it("every policy has a violation below", () =>
  expect(expected.map(([policy]) => policy)).toEqual(policies.map(({ name }) => name)));

it.each(expected)("a violation of %s fails the preview, and nothing else is reported", async (policy, violation) => {
  const run = await preview(policy);
  expect(violations(run)).toEqual([`${policy}: ${violation}`]);
  expect(run.status).not.toBe(0);
});
