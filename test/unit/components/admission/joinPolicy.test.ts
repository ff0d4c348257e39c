import type * as pulumi from "@pulumi/pulumi";
import { type ClaimSpec, JoinPolicy } from "../../../../components";
import { declareTlsBootstrap } from "../oneWorker";
import { Program, valueOf } from "../program";

const POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy";
const GROUP = "system:bootstrappers:a";

async function declare(claims: ClaimSpec[], bindReadyNodes?: boolean): Promise<Program> {
  const program = new Program();
  await program.run((opts) => new JoinPolicy("p", { claims, bindReadyNodes }, opts));
  return program;
}

/** The lines of the policy that list names. */
const listedIn = (program: Program, policy: string): string[] =>
  program
    .find(POLICY, policy)
    .inputs.spec.variables.filter(({ name }: { name: string }) => name.startsWith("listed"))
    .map(({ expression }: { expression: string }) => expression);

describe("the policy for names", () => {
  it("lists each name with its pool, as plain text", async () => {
    const { program } = await declareTlsBootstrap({ scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
    expect(listedIn(program, "t-test-names")).toEqual(['{\n  "worker-1": "worker",\n}']);
    const { failurePolicy, variables } = program.find(POLICY, "t-test-names").inputs.spec;
    expect(failurePolicy).toBe("Fail");
    expect(variables).toContainEqual({
      name: "claims",
      expression: '{"system:bootstrappers:t-test:worker":"worker","system:bootstrappers:t-test:burst":"burst"}',
    });
    expect(program.find(`${POLICY}Binding`, "t-test-names").inputs.spec).toEqual({
      policyName: "t-test-names",
      validationActions: ["Deny"],
    });
  });

  it("splits many names into several variables, where a new name is a new line", async () => {
    const lists = async (count: number) => {
      const nodes = Array.from({ length: count }, (_, i) => `rack-${10_000 + i}.example.com`);
      return listedIn(await declare([{ name: "a", group: GROUP, nodes }]), "p-names");
    };
    const [before, after] = [await lists(6000), await lists(6001)];
    expect(before.length).toBeGreaterThan(2);
    expect(before.every((text) => text.length < 100_000)).toBe(true);
    const linesOf = (texts: string[]) => texts.flatMap((text) => text.split("\n"));
    const added = linesOf(after).filter((line) => !linesOf(before).includes(line));
    expect(added).toEqual(['  "rack-16000.example.com": "a",']);
  });

  it("refuses claims that are not sound, all at once", async () => {
    const claims = [
      { name: "a", group: "system:masters", nodes: ["worker-1", 'x"'] },
      { name: "b", group: GROUP, nodes: ["worker-1"], namePrefix: "" },
    ];
    const error = await declare(claims).catch((reason: Error) => reason.message);
    expect(error).toContain("JoinPolicy 'p': 5 problems");
    for (const line of [
      "claims[0].group: 'system:masters'",
      "claims[0].nodes[1]: 'x\"'",
      "claims[1]: needs either 'nodes' or 'namePrefix'",
      "claims[1].nodes[0]: 'worker-1' is a name of claim a already",
      "claims[1].namePrefix: '' is not a prefix of node names",
    ])
      expect(error).toContain(line);
  });
});

describe("the policy for Ready nodes", () => {
  const hostnames = (values: string[]) => ({
    selector: { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values }] },
    parameterNotFoundAction: "Allow",
  });

  it("is bound while the pool's token is valid", async () => {
    const { program } = await declareTlsBootstrap();
    const binding = program.find(`${POLICY}Binding`, "t-worker-token-ready-nodes").inputs;
    expect(binding.metadata.name).toBe("t-test-worker-ready-abc123");
    expect(binding.spec).toEqual({
      policyName: "t-test-worker-ready",
      validationActions: ["Deny"],
      paramRef: hostnames(["worker-1"]),
    });
    const released = program.find(`${POLICY}BindingPatch`, "t-worker-token-ready-nodes-released").inputs;
    expect(released.spec.matchResources.resourceRules[0].apiGroups).toEqual(["none.invalid"]);
    const urnsOf = async (name: string) =>
      Promise.all(
        [program.options[name].dependsOn].flat().map((resource) => valueOf((resource as pulumi.Resource).urn)),
      );
    expect((await urnsOf("kubernetes:core/v1:Secret t-worker-token"))[0]).toMatch(/::t-worker-token-ready-nodes$/);
    expect((await urnsOf(`${POLICY}BindingPatch t-worker-token-ready-nodes-released`))[0]).toMatch(
      /::t-worker-token-revoked$/,
    );
  });

  it("is not bound for a pool without workers, since a selector needs a name", async () => {
    const { program } = await declareTlsBootstrap({ pools: [{ name: "worker", workers: [] }] });
    expect(program.listing().filter((line) => line.includes("ready-nodes"))).toEqual([]);
    const alone = await declare([{ name: "a", group: GROUP, nodes: [] }]);
    expect(alone.listing().filter((line) => line.includes("Binding"))).toEqual([`${POLICY}Binding p-names`]);
  });

  it("is bound all the time for a scale group, and for claims without a token of this module", async () => {
    const program = await declare([
      { name: "a", group: GROUP, nodes: ["worker-2", "worker-1"] },
      { name: "b", group: "system:bootstrappers:b", namePrefix: "burst-" },
    ]);
    const paramRef = (claim: string) => program.find(`${POLICY}Binding`, `p-${claim}-ready`).inputs.spec.paramRef;
    expect(paramRef("a")).toEqual(hostnames(["worker-1", "worker-2"]));
    expect(paramRef("b").selector.matchExpressions).toEqual([
      { key: "node-restriction.kubernetes.io/tls-bootstrap", operator: "DoesNotExist" },
    ]);
  });
});

describe("the join policy", () => {
  it("is declared before the token that it restricts", async () => {
    const { program } = await declareTlsBootstrap();
    const before = program.options[`${POLICY}Binding t-worker-token-ready-nodes`].dependsOn as pulumi.Resource[];
    const urns = await Promise.all(before.map(({ urn }) => valueOf(urn)));
    expect(urns.map((urn) => urn.split("$").at(-1))).toContain("tls-bootstrap:index:JoinPolicy::t-test");
  });

  it("is not declared with joinPolicy: off", async () => {
    const { program } = await declareTlsBootstrap({ joinPolicy: "off" });
    expect(program.listing().filter((line) => /Admission|names/.test(line) && !line.includes("-serving"))).toEqual([]);
  });
});
