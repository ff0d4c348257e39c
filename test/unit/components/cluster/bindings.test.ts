import * as pulumi from "@pulumi/pulumi";
import type { TlsBootstrapArgs } from "../../../../components";
import { declareTlsBootstrap } from "../oneWorker";
import { unboxed } from "../program";

describe("bindings", () => {
  const BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";
  const declared = async (bindings: TlsBootstrapArgs["bindings"]) => {
    const { program } = await declareTlsBootstrap({ bindings, scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
    const subjects = program.resources
      .filter(({ type, name }) => type === BINDING && name === "t-test-create-csrs")
      .flatMap(({ inputs }) => inputs.subjects.map((subject: { name: string }) => subject.name) as string[]);
    const secret = unboxed(program.find("kubernetes:core/v1:Secret", "t-worker-token").inputs.stringData);
    return { subjects, groups: secret["auth-extra-groups"] };
  };

  it("bind the roles to the tokens' own groups", async () =>
    expect(await declared(undefined)).toEqual({
      subjects: ["system:bootstrappers:t-test:worker", "system:bootstrappers:t-test:burst"],
      groups: "system:bootstrappers:t-test:worker",
    }));

  it("can be kubeadm's: the stack declares none, and its tokens also get kubeadm's group", async () =>
    expect(await declared({ mode: "existing" })).toEqual({
      subjects: [],
      groups: "system:bootstrappers:t-test:worker,system:bootstrappers:kubeadm:default-node-token",
    }));

  it("can bind the roles to another group", async () =>
    expect(await declared({ group: "system:bootstrappers:all" })).toEqual({
      subjects: ["system:bootstrappers:all"],
      groups: "system:bootstrappers:t-test:worker,system:bootstrappers:all",
    }));

  it("can bind the roles to all tokens of the cluster, with a warning", async () => {
    const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue();
    expect(await declared({ group: "system:bootstrappers" })).toEqual({
      subjects: ["system:bootstrappers"],
      groups: "system:bootstrappers:t-test:worker",
    });
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      expect.stringContaining("bindings.group system:bootstrappers lets every bootstrap token of the cluster ask"),
    ]);
    warn.mockRestore();
  });
});
