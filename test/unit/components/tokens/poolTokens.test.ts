import type * as pulumi from "@pulumi/pulumi";
import type { TlsBootstrapArgs } from "../../../../components";
import { ED25519_OTHER } from "../../fixtures";
import { declareTlsBootstrap, findTokenClock, ONE_WORKER, poolWith } from "../oneWorker";
import { unboxed, valueOf } from "../program";

describe("a pool's token", () => {
  const subject = async (args: Partial<TlsBootstrapArgs>) =>
    findTokenClock((await declareTlsBootstrap(args)).program).inputs.subject.organization as string;

  it("is kept while the pool has the same machines, in any order and with any settings", async () => {
    const worker = ONE_WORKER.pools[0].workers[0];
    const other = { name: "worker-2", address: "10.0.1.12", hostKey: ED25519_OTHER };
    const one = await subject({ pools: [{ name: "worker", workers: [worker, other] }] });
    expect(
      await subject({
        pools: [{ name: "worker", workers: [other, { ...worker, generation: 1, labels: { a: "b" } }] }],
      }),
    ).toBe(one);
  });

  it.each([
    ["another member", { name: "worker-9" }],
    ["a raised generation", { generation: 2 }],
    ["another address", { address: "10.0.1.99" }],
    ["another host key", { hostKey: ED25519_OTHER }],
  ])("is minted again for %s", async (_, change) =>
    expect(await subject(poolWith(change))).not.toBe(await subject({})),
  );

  it("is minted again for other groups and usages, which the Secret of a revoked token does not accept", async () => {
    const others = [{ bindings: { group: "system:bootstrappers:all" } }, { clusterInfo: "off" }] as const;
    for (const change of others) expect(await subject(change)).not.toBe(await subject({}));
  });

  it("is revoked by a patch of its Secret", async () => {
    const { program } = await declareTlsBootstrap();
    const { inputs } = program.find("kubernetes:core/v1:SecretPatch", "t-worker-token-revoked");
    const decoded = Object.entries(unboxed(inputs.data)).map(([key, value]) => [key, atob(value as string)]);
    expect(Object.fromEntries(decoded)).toEqual({
      "usage-bootstrap-authentication": "false",
      "usage-bootstrap-signing": "false",
      expiration: "9999-12-31T23:59:59Z",
    });
    expect([inputs.type, inputs.metadata.name]).toEqual(["bootstrap.kubernetes.io/token", "bootstrap-token-abc123"]);
  });

  it("is revoked after the joins, which wait for all other steps", async () => {
    const { program } = await declareTlsBootstrap();
    const { dependsOn } = program.optionsOf("kubernetes:core/v1:SecretPatch", "t-worker-token-revoked");
    const urns = await Promise.all((dependsOn as pulumi.Resource[]).map(({ urn }) => valueOf(urn)));
    expect(urns).toEqual([expect.stringMatching(/::t-worker-1-join$/)]);
  });
});

describe("a scale group", () => {
  it("renews its token at half of its ttl, and keeps the retired ones", async () => {
    const { program, result } = await declareTlsBootstrap({
      scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "72h" }],
    });
    const clock = program.find("tls:index/selfSignedCert:SelfSignedCert", "t-burst-token-clock").inputs;
    expect([clock.validityPeriodHours, clock.earlyRenewalHours]).toEqual([72, 36]);
    expect(program.options["kubernetes:core/v1:Secret t-burst-token"].retainOnDelete).toBe(true);
    expect(program.options["kubernetes:core/v1:Secret t-worker-token"].retainOnDelete).toBeFalsy();
    expect(await valueOf(result.tokens)).toMatchObject({
      burst: { expires: "2026-01-05T03:04:05Z", scaleGroup: true },
    });
    expect(program.find("kubernetes:core/v1:Secret", "t-burst-token").inputs.metadata.namespace).toBe("kube-system");
  });
});
