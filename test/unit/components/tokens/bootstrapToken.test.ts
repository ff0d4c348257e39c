import { BootstrapToken, type BootstrapTokenArgs } from "../../../../components/tokens/bootstrapToken";
import { expiryOf } from "../../../../components/tokens/tokenTtl";
import { CA } from "../../fixtures";
import { Program, unboxed, valueOf } from "../program";

const declare = (program: Program, args: Partial<BootstrapTokenArgs> = {}) =>
  program.run(
    (opts) => new BootstrapToken("t", { groups: ["system:bootstrappers:worker"], mintedFor: "w1", ...args }, opts),
  );

describe("BootstrapToken", () => {
  it("declares a clock, an id, a secret and the Secret", async () => {
    const program = new Program();
    await declare(program);
    expect(program.listing()).toEqual([
      "kubernetes:core/v1:Secret t",
      "random:index/randomPassword:RandomPassword t-secret",
      "random:index/randomString:RandomString t-id",
      "tls-bootstrap:index:BootstrapToken t",
      "tls:index/privateKey:PrivateKey t-clock-key",
      "tls:index/selfSignedCert:SelfSignedCert t-clock",
    ]);
  });

  it("writes the Secret as the API server's authenticator reads it", async () => {
    const program = new Program();
    await declare(program, { usages: ["authentication", "signing"], description: "for tests", ttl: "90m" });
    const { inputs } = program.find("kubernetes:core/v1:Secret", "t");
    expect(inputs.metadata).toEqual({ namespace: "kube-system", name: "bootstrap-token-abc123" });
    expect(inputs.type).toBe("bootstrap.kubernetes.io/token");
    expect(unboxed(inputs.stringData)).toEqual({
      description: "for tests",
      "token-id": "abc123",
      "token-secret": "s3cr3ts3cr3ts3cr",
      expiration: "2026-01-02T04:34:05Z",
      "usage-bootstrap-authentication": "true",
      "usage-bootstrap-signing": "true",
      "auth-extra-groups": "system:bootstrappers:worker",
    });
  });

  it("mints a new id and secret with a new clock only", async () => {
    const program = new Program();
    await declare(program);
    const keepers = { minted: "2026-01-02T03:04:05.678901234Z" };
    expect(program.find("random:index/randomString:RandomString", "t-id").inputs).toEqual({
      length: 6,
      upper: false,
      special: false,
      keepers,
    });
    expect(program.find("random:index/randomPassword:RandomPassword", "t-secret").inputs).toEqual({
      length: 16,
      upper: false,
      special: false,
      keepers,
    });
    const clock = program.find("tls:index/selfSignedCert:SelfSignedCert", "t-clock").inputs;
    expect(clock.subject).toEqual({
      commonName: "bootstrap token clock, ttl 1h",
      organization: "system:bootstrappers:worker authentication w1",
    });
    expect(clock.earlyRenewalHours).toBeUndefined();
  });

  it("outputs id and expiry in plain text, and the token as a secret", async () => {
    const program = new Program();
    const token = await declare(program);
    expect(await valueOf(token.id)).toBe("abc123");
    expect(await valueOf(token.expires)).toBe("2026-01-02T04:04:05Z");
    expect(await valueOf(token.token)).toBe("abc123.s3cr3ts3cr3ts3cr");
    const secrecy = [token.id, token.expires, token.token, token.bootstrapKubeconfig({ server: "https://a", ca: CA })];
    expect(
      await Promise.all(secrecy.map((output) => (output as unknown as { isSecret: Promise<boolean> }).isSecret)),
    ).toEqual([false, false, true, true]);
  });

  it.each<[string, Partial<BootstrapTokenArgs>, string]>([
    ["a group without a name", { groups: ["system:bootstrappers:"] }, "groups[0]: 'system:bootstrappers:'"],
    ["the bare group", { groups: ["system:bootstrappers"] }, "groups[0]"],
    ["another group", { groups: ["system:bootstrappers:a", "system:masters"] }, "groups[1]: 'system:masters'"],
    ["a space in a group", { groups: ["system:bootstrappers:a, system:bootstrappers:b"] }, "groups[0]"],
    ["an upper-case group", { groups: ["system:bootstrappers:Worker"] }, "groups[0]"],
    ["a token that never expires", { ttl: "never" }, "ttl: 'never'"],
    ["a ttl of zero", { ttl: "0h" }, "ttl: '0h'"],
    ["a ttl too short to join", { ttl: "4m" }, "ttl: '4m' must be between 5m and 30d"],
    ["a ttl too long", { ttl: "31d" }, "ttl: '31d' must be between 5m and 30d"],
    ["no usage", { usages: [] }, "usages"],
  ])("refuses %s before anything is declared", async (_, args, message) => {
    const program = new Program();
    await expect(declare(program, args)).rejects.toThrow(message);
    expect(program.resources.filter(({ type }) => !type.startsWith("tls-bootstrap:"))).toEqual([]);
  });
});

describe("expiryOf", () => {
  it.each([
    ["2026-01-02T03:04:05Z", "5m", "2026-01-02T03:09:05Z"],
    ["2026-01-02T03:04:05.999999999Z", "1h", "2026-01-02T04:04:05Z"],
    ["2026-02-28T23:00:00+01:00", "1d", "2026-03-01T22:00:00Z"],
    ["2028-02-28T12:00:00Z", "2d", "2028-03-01T12:00:00Z"],
  ])("of %s plus %s is %s", (start, ttl, end) => expect(expiryOf(start, ttl)).toBe(end));
});
