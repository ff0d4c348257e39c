import type * as pulumi from "@pulumi/pulumi";
import { JoinPolicy } from "../../../../components";
import { namePatterns } from "../../../../components/admission/csrPattern";
import { declareTlsBootstrap } from "../oneWorker";
import { Program, valueOf } from "../program";

describe("the join policy", () => {
  const ADMISSION = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy";

  it("lets the tokens of each pool and scale group claim their own names only", async () => {
    const { program } = await declareTlsBootstrap({ scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
    const names = (claim: string) =>
      program.find(ADMISSION, `t-test-${claim}-names`).inputs.spec.variables.slice(1) as { expression: string }[];
    expect(names("worker")).toEqual([
      { name: "names0", expression: `[\n  "${namePatterns("worker-1").join("")}", // worker-1\n]` },
    ]);
    expect(names("burst")[0].expression.split("\n").length).toBeGreaterThan(57);
    for (const [claim, group] of [
      ["worker", "system:bootstrappers:t-test:worker"],
      ["burst", "system:bootstrappers:t-test:burst"],
    ]) {
      const policy = program.find(ADMISSION, `t-test-${claim}-names`).inputs;
      expect(policy.spec.failurePolicy).toBe("Fail");
      expect(policy.spec.matchConditions[0].expression).toBe(`"${group}" in request.userInfo.groups`);
      expect(program.find(`${ADMISSION}Binding`, `t-test-${claim}-names`).inputs.spec).toEqual({
        policyName: `t-test-${claim}-names`,
        validationActions: ["Deny"],
      });
    }
  });

  it("is declared before the token that it restricts", async () => {
    const { program } = await declareTlsBootstrap();
    const before = program.options["kubernetes:core/v1:Secret t-worker-token"].dependsOn as pulumi.Resource[];
    const urns = await Promise.all(before.map(({ urn }) => valueOf(urn)));
    expect(urns.map((urn) => urn.split("$").at(-1))).toContain("tls-bootstrap:index:JoinPolicy::t-test");
  });

  it("splits the names of a large pool into lists, where a new name is a new line", async () => {
    const lists = async (count: number) => {
      const nodes = Array.from({ length: count }, (_, i) => `rack-${1000 + i}.example.com`);
      const program = new Program();
      await program.run((opts) => new JoinPolicy("p", { claims: [{ name: "a", group: "g", nodes }] }, opts));
      return program
        .find(ADMISSION, "p-a-names")
        .inputs.spec.variables.slice(1)
        .map((v: any) => v.expression) as string[];
    };
    const [before, after] = [await lists(1200), await lists(1201)];
    expect(before.length).toBeGreaterThan(2);
    expect(before.every((text) => text.length < 100_000)).toBe(true);
    const linesOf = (texts: string[]) => texts.flatMap((text) => text.split("\n"));
    const added = linesOf(after).filter((line) => !linesOf(before).includes(line));
    expect(added).toEqual(namePatterns("rack-2200.example.com").map((text) => `  "${text}", // rack-2200.example.com`));
  });

  it("is not declared with joinPolicy: off", async () => {
    const { program } = await declareTlsBootstrap({ joinPolicy: "off" });
    expect(program.listing().filter((line) => /Admission|names/.test(line) && !line.includes("-serving"))).toEqual([]);
  });
});
