import fc from "fast-check";
import { renderKubeconfig } from "../../../../components/cluster/kubeconfig";
import { noSecretsInTheOpen } from "../../../../policy/rules/noSecretsInTheOpen";
import { UNKNOWN } from "../../../protocolValues";
import { CA, ED25519 } from "../../fixtures";
import { base64, findPlaces, resourceOf } from "./judging";

describe("no-secrets-in-the-open", () => {
  const token = "abc123.0123456789abcdef";
  const privateKey = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI\n-----END EC PRIVATE KEY-----";
  const cluster = { server: "https://10.0.0.1:6443", ca: CA };
  const withToken = renderKubeconfig(cluster, "admin", { token: "a-bearer-token-of-the-cluster" });
  const withKey = renderKubeconfig(cluster, "admin", { clientCertificate: CA, clientKey: privateKey });

  it.each<[string, string, string[]]>([
    ["a private key", `cat > key <<E\n${privateKey}\nE`, ["a private key"]],
    ["an OpenSSH key", "echo '-----BEGIN OPENSSH PRIVATE KEY-----'", ["a private key"]],
    ["a bootstrap token", `kubeadm join --token ${token} 10.0.0.1:6443`, ["a bootstrap token"]],
    ["a bootstrap token at the end of a sentence", `The token is "${token}".`, ["a bootstrap token"]],
    ["a kubeconfig with a token", withToken, ["a kubeconfig's token"]],
    [
      "a kubeconfig with a token, as JSON",
      '{"users":[{"user":{"token":"0123456789-abcdef"}}],"kind":"Config"}',
      ["a kubeconfig's token"],
    ],
    ["a kubeconfig with a client key", withKey, ["a kubeconfig's client key"]],
    [
      "a kubeconfig with a client key, escaped",
      '{\\"client-key-data\\": \\"LS0tLS1CRUdJTiBF\\"}',
      ["a kubeconfig's client key"],
    ],
    ["two secrets", `${token} ${privateKey}`, ["a private key", "a bootstrap token"]],
    ["a public key", ED25519, []],
    ["a certificate", CA, []],
    ["a kubeconfig without credentials", renderKubeconfig(cluster), []],
    ["a kubeconfig whose token is a variable", withToken.replace("a-bearer-token-of-the-cluster", "$TOKEN"), []],
    [
      "a kubeconfig with an empty token",
      withToken.replace("a-bearer-token-of-the-cluster", '""\n    x-of-16-letters: a'),
      [],
    ],
    ["a token outside of a kubeconfig", "token: 0123456789-abcdef", []],
    ["a token's id", "kubectl -n kube-system get secret bootstrap-token-abc123", []],
    ["a name with a dot", "config.defaultnamespace", []],
    ["a name with two dots and a digit", "config.defaultnamespace.v1", []],
    ["a number with two dots and a letter", "123456.0123456789012345.a", []],
    ["a number", "123456.0123456789012345", []],
    ["a longer hash", `${token}0`, []],
    ["a longer name", `x${token}`, []],
    ["nothing", "", []],
  ])("judges %s", (_, text, expected) => {
    const found = (type: string, props: object) =>
      [...noSecretsInTheOpen(resourceOf(type, props))].map((problem) =>
        problem.replace(/^(\S+): contains (.*?), .*$/, "$1: $2"),
      );
    const at = (where: string) => expected.map((what) => `${where}: ${what}`);
    for (const step of ["create", "update", "delete"]) {
      expect(found("command:remote:Command", { [step]: text })).toEqual(at(step));
      expect(found("command:local:Command", { [step]: text })).toEqual(at(step));
    }
    expect(found("command:remote:Command", { environment: { A: "1", B: text } })).toEqual(at("environment.B"));
    expect(found("kubernetes:core/v1:ConfigMap", { data: { "a.conf": text } })).toEqual(at("data.a.conf"));
    expect(found("kubernetes:core/v1:ConfigMap", { binaryData: { b: base64(text) } })).toEqual(at("binaryData.b"));

    // Secrets may be here. Policies do not see whether a value is marked as secret.
    expect(found("command:remote:Command", { stdin: text, connection: { privateKey: text } })).toEqual([]);
    expect(found("command:local:Command", { stdin: text, environment: { A: text } })).toEqual([]);
    expect(found("kubernetes:core/v1:Secret", { stringData: { a: text } })).toEqual([]);
  });

  it.each<[string, object, string[]]>([
    [
      "command:remote:Command",
      { create: UNKNOWN, update: token, environment: { A: UNKNOWN, B: token } },
      ["update", "environment.B", "undecided"],
    ],
    ["command:remote:Command", { create: token, environment: UNKNOWN }, ["create", "undecided"]],
    [
      "kubernetes:core/v1:ConfigMap",
      { data: { a: UNKNOWN, b: token }, binaryData: { c: base64(token) } },
      ["data.b", "binaryData.c", "undecided"],
    ],
  ])("checks the rest of a %s after an unknown value", (type, props, expected) =>
    expect(findPlaces(() => noSecretsInTheOpen(resourceOf(type, props)))).toEqual(expected),
  );

  const texts = (length: number) =>
    fc.string({
      unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"),
      minLength: length,
      maxLength: length,
    });
  it("finds any token with a letter and a digit, and never shows it", () =>
    fc.assert(
      fc.property(texts(6), texts(16), (id, secret) => {
        fc.pre(/[a-z]/.test(id + secret) && /\d/.test(id + secret));
        const problems = [
          ...noSecretsInTheOpen(resourceOf("command:local:Command", { create: `join ${id}.${secret}` })),
        ];
        expect(problems).toHaveLength(1);
        expect(problems[0]).not.toContain(secret);
      }),
    ));
});
