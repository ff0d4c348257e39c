import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Crypter } from "../../../lab/engine/passphrase";
import { configForProgram, readStackConfig, secret, writeStackConfig } from "../../../lab/engine/stackConfig";
import { readState, StateWriter } from "../../../lab/engine/state";
import { Secret } from "../../../lab/plugins/values";
import { FakeStack } from "./harness";

/** Written by pulumi 3.248.0 with the passphrase "correct horse". */
const byPulumi = `encryptionsalt: v1:kKx5G2F1ucw=:v1:8RhDp9k0y3zVA7l3:UWOIBkS7JzpIQVFcUZ0wyfhZVbiucw==
config:
  vec:password:
    secure: v1:xBRc5zYL4ZWVeXw5:2c5Yhl+kb63bL+PLnL+ENiX6EctamF4iktcxXA==
  vec:ssh:
    privateKey:
      secure: v1:PCZ84rNatUktrBLs:NalL63VeNAI5wCTMgRmb4y/r8A==
    user: admin
`;
const passphrase = "correct horse";

describe("secrets on disk", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "engine-secrets-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  test("a config file of the real CLI is decrypted, wherever the secret stands", () => {
    const file = join(folder, "Pulumi.dev.yaml");
    writeFileSync(file, byPulumi);
    const { config } = readStackConfig(file, "vec", passphrase);
    expect(config).toEqual({
      "vec:password": { value: "s3cret value", secrets: ["s3cret value"] },
      "vec:ssh": { value: { privateKey: "KEY", user: "admin" }, secrets: ["KEY"] },
    });
    expect(configForProgram(config)).toEqual({
      values: { "vec:password": "s3cret value", "vec:ssh": '{"privateKey":"KEY","user":"admin"}' },
      secretKeys: ["vec:password", "vec:ssh"],
    });
  });

  test("a wrong passphrase is refused", () => {
    const file = join(folder, "Pulumi.dev.yaml");
    writeFileSync(file, byPulumi);
    expect(() => readStackConfig(file, "vec", "wrong")).toThrow("incorrect passphrase");
  });

  test("a malformed salt is refused", () => {
    expect(() => Crypter.open(passphrase, "v2:x")).toThrow("malformed encryptionsalt");
  });

  test("writing encrypts the marked values, keeps the salt and changes nothing when nothing changes", async () => {
    const file = join(folder, "deep", "Pulumi.dev.yaml");
    const config = {
      "p:a": secret("hidden-word"),
      "p:list": [{ name: "w", key: secret("other-word") }],
      "p:open": 1.5,
    };
    await writeStackConfig(file, config, passphrase);
    const first = readFileSync(file, "utf8");
    expect(first).not.toMatch(/hidden-word|other-word/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await writeStackConfig(file, config, passphrase);
    expect(readFileSync(file, "utf8")).toBe(first);
    expect(readStackConfig(file, "p", passphrase).config).toEqual({
      "p:a": { value: "hidden-word", secrets: ["hidden-word"] },
      "p:list": { value: [{ name: "w", key: "other-word" }], secrets: ["other-word"] },
      "p:open": { value: 1.5, secrets: [] },
    });
  });

  test("the checkpoint holds secrets only encrypted, and gives them back", async () => {
    const stack = new FakeStack();
    await stack.up((register) =>
      register(
        "a",
        { password: new Secret("top-secret-1"), nested: { list: [new Secret({ deep: "top-secret-2" })] } },
        { additionalSecretOutputs: ["made"], replacementTrigger: new Secret("top-secret-3") },
      ),
    );
    const crypter = Crypter.create(passphrase);
    const file = join(folder, "dev.json");
    new StateWriter(file, crypter).save(stack.state);
    const text = readFileSync(file, "utf8");
    expect(text).not.toMatch(/top-secret|made-a/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readState(file, (salt) => Crypter.open(passphrase, salt)).resources).toEqual(stack.state);
  });

  test("an unchanged secret keeps its ciphertext", async () => {
    const stack = new FakeStack();
    await stack.up((register) => register("a", { password: new Secret("top-secret") }));
    const writer = new StateWriter(join(folder, "dev.json"), Crypter.create(passphrase));
    const ciphertexts = (): string[] =>
      readFileSync(join(folder, "dev.json"), "utf8").match(/v1:[\w+/=]+:[\w+/=]+/g) ?? [];
    writer.save(stack.state);
    const first = ciphertexts();
    writer.save(stack.state);
    expect(ciphertexts()).toEqual(first);
  });

  test("what was under way when an operation was cut off is known afterwards", () => {
    const file = join(folder, "dev.json");
    const crypter = Crypter.create(passphrase);
    const writer = new StateWriter(file, crypter);
    writer.begin([], { urn: "urn:a", type: "creating" });
    writer.begin([], { urn: "urn:b", type: "updating" });
    writer.save([], "urn:b");
    expect(readState(file, () => crypter).pending).toEqual([{ urn: "urn:a", type: "creating" }]);
  });

  test("a checkpoint that is no JSON is an error that names the file", () => {
    const file = join(folder, "dev.json");
    writeFileSync(file, "{");
    expect(() => readState(file, () => Crypter.create(passphrase))).toThrow(`cannot read the state file ${file}`);
  });
});
