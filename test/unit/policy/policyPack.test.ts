import * as pulumi from "@pulumi/pulumi";
import type { TlsBootstrapArgs } from "../../../components";
import { ED25519_OTHER, SSH_KEY } from "../fixtures";
import { COMMAND, declareTlsBootstrap } from "../components/oneWorker";
import type { Registered } from "../components/program";
import { ServedPack } from "./servedPack";
import { secret, UNKNOWN } from "../../protocolValues";

const RBAC = "kubernetes:rbac.authorization.k8s.io/v1";

let pack: ServedPack;
beforeAll(async () => {
  pack = await ServedPack.start();
}, 60_000);
beforeEach(() => pack.configure());
afterAll(() => pack?.stop());

/** The resources of a TlsBootstrap behind a bastion, whose keys are secrets. */
const declare = async (args: Partial<TlsBootstrapArgs> = {}): Promise<Registered[]> => {
  const key = pulumi.secret(SSH_KEY);
  const ssh = { user: "debian", privateKey: key, bastion: { host: "jump", hostKey: ED25519_OTHER, privateKey: key } };
  return (await declareTlsBootstrap({ ssh, ...args })).program.resources;
};

const findViolations = async (resources: Registered[]) => [
  ...(await Promise.all(resources.map((resource) => pack.analyze(resource)))).flat(),
  ...(await pack.analyzeStack(resources)),
];

it("has six policies, all mandatory", async () =>
  expect(await pack.policies()).toEqual([
    { name: "ssh-host-key-pinned", mandatory: true, defaults: {} },
    { name: "bootstrap-token-ttl", mandatory: true, defaults: { maximumTtl: "72h" } },
    { name: "no-bare-bootstrappers", mandatory: true, defaults: {} },
    { name: "no-admin-for-nodes", mandatory: true, defaults: {} },
    { name: "anonymous-access", mandatory: true, defaults: {} },
    { name: "no-secrets-in-the-open", mandatory: true, defaults: {} },
  ]));

describe("what the components declare", () => {
  it.each<[string, Partial<TlsBootstrapArgs>]>([
    ["with cluster-info", {}],
    ["without cluster-info", { clusterInfo: "off" }],
    ["with the bindings of kubeadm", { bindings: { mode: "existing" } }],
    ["with a scale group", { scaleGroups: [{ name: "burst", namePrefix: "burst-" }] }],
    ["without a join policy", { joinPolicy: "off" }],
    ["with kube-proxy as a unit", { kubeProxy: { mode: "unit", clusterCidr: "10.244.0.0/16" } }],
    ["with kube-proxy as pods", { kubeProxy: { mode: "daemonset", clusterCidr: "10.244.0.0/16" } }],
    ["with an approver of serving certificates", { servingCertificates: { mode: "approver" } }],
    ["with serving certificates that are approved by hand", { servingCertificates: { mode: "manual" } }],
  ])("passes %s", async (_, args) => expect(await findViolations(await declare(args))).toEqual([]));

  it.each<[string, string, string, (inputs: any) => void]>([
    ["ssh-host-key-pinned", COMMAND, "t-worker-1-join", ({ connection }) => delete contentOf(connection).hostKey],
    ["ssh-host-key-pinned", COMMAND, "t-worker-1-host", (i) => delete contentOf(i.connection).proxy.hostKey],
    [
      "bootstrap-token-ttl",
      "kubernetes:core/v1:Secret",
      "t-worker-token",
      (i) => delete contentOf(i.stringData).expiration,
    ],
    [
      "no-bare-bootstrappers",
      "kubernetes:core/v1:Secret",
      "t-worker-token",
      (i) => delete contentOf(i.stringData)["auth-extra-groups"],
    ],
    [
      "no-bare-bootstrappers",
      `${RBAC}:ClusterRoleBinding`,
      "t-test-create-csrs",
      (i) => (i.subjects[0].name = "system:bootstrappers"),
    ],
    [
      "no-admin-for-nodes",
      `${RBAC}:ClusterRoleBinding`,
      "t-test-approve-renewals",
      (i) => (i.roleRef.name = "cluster-admin"),
    ],
    ["anonymous-access", `${RBAC}:Role`, "t-test-cluster-info-read", (i) => i.rules[0].verbs.push("list")],
    [
      "no-secrets-in-the-open",
      "kubernetes:core/v1:ConfigMapPatch",
      "t-test-cluster-info",
      (i) => (i.data.kubeconfig += "# abc123.0123456789abcdef\n"),
    ],
  ])("violates %s after a change of %s %s", async (policy, type, name, change) => {
    const resources = await declare();
    const target = resources.find((resource) => resource.type === type && resource.name === name)!;
    change(target.inputs);
    expect(await findViolations(resources)).toEqual([expect.objectContaining({ policy, mandatory: true })]);
  });

  it("violates bootstrap-token-ttl at preview already, when the token's expiry is unknown", async () => {
    const resources = await declare({ tokenTtl: "30d" });
    resources.find(({ type }) => type === "kubernetes:core/v1:Secret")!.inputs.stringData = UNKNOWN;
    expect(await findViolations(resources)).toEqual([
      {
        policy: "bootstrap-token-ttl",
        mandatory: true,
        message: [
          "A bootstrap token expires soon.",
          "subject.commonName: belongs to a bootstrap token with a ttl of 30d, and at most 72h is allowed; lower tokenTtl",
        ].join("\n"),
      },
      expect.objectContaining({ policy: "bootstrap-token-ttl", mandatory: false }),
      expect.objectContaining({ policy: "no-bare-bootstrappers", mandatory: false }),
    ]);
  });
});

it("reads the maximum ttl from its config", async () => {
  const resources = await declare({ tokenTtl: "1d" });
  expect(await findViolations(resources)).toEqual([]);
  await pack.configure({ "bootstrap-token-ttl": { maximumTtl: "12h" } });
  expect(await findViolations(resources)).toEqual([expect.objectContaining({ policy: "bootstrap-token-ttl" })]);
});

it("sees the value of a secret, but not that it is secret", async () => {
  const command = (create: unknown) => pack.analyze({ type: "command:local:Command", name: "c", inputs: { create } });
  const text = "kubeadm join --token abc123.0123456789abcdef";
  const plainly = await command(text);
  expect(plainly).toHaveLength(1);
  expect(await command(secret(text))).toEqual(plainly);
});

it("names the resource that violates a policy over the stack", async () => {
  const roleRef = { kind: "ClusterRole", name: "view" };
  const subjects = [{ kind: "User", name: "system:anonymous" }];
  expect(
    await pack.analyzeStack([
      { type: `${RBAC}:ClusterRoleBinding`, name: "unknown", inputs: { roleRef, subjects: UNKNOWN } },
      { type: `${RBAC}:ClusterRoleBinding`, name: "open", inputs: { roleRef, subjects } },
    ]),
  ).toEqual([
    expect.objectContaining({ policy: "no-admin-for-nodes", mandatory: false }),
    {
      policy: "anonymous-access",
      mandatory: true,
      resource: "open",
      message: expect.stringContaining("subjects[0]: gives User system:anonymous access in every namespace"),
    },
    expect.objectContaining({ policy: "anonymous-access", mandatory: false }),
  ]);
});

/** The value within a secret input, to be changed in place. */
const contentOf = (boxed: any) => boxed.value;
