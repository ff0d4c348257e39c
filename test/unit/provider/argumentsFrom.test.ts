import * as pulumi from "@pulumi/pulumi";
import { argumentsFrom } from "../../../provider/argumentsFrom";
import schema from "../../../provider/schema.json";

/** What the engine passes for a YAML program: an output can stand at any place, and is known, secret or unknown. */
const SPEC = { properties: schema.resources["tls-bootstrap:index:TlsBootstrap"].inputProperties };
const from = (inputs: pulumi.Inputs) => argumentsFrom("TlsBootstrap 'n'", inputs, SPEC, schema.types);

/** What the SDK makes of a value that only an update knows: by itself, and as an output. */
const UNKNOWN: unknown = pulumi.runtime.deserializeProperty(pulumi.runtime.unknownValue, true);
const UNKNOWN_OUTPUT: unknown = pulumi.runtime.deserializeProperty({
  [pulumi.runtime.specialSigKey]: pulumi.runtime.specialOutputValueSig,
});

const valueOf = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));

it("settings that the preview must know come out of their outputs", async () => {
  const pools = pulumi.output([{ name: "worker", labels: { zone: "a" }, kubelet: { maxPods: 50 } }]);
  const args = await from({ pools, kubernetesVersion: "1.37.2", clusterDns: [pulumi.output("10.96.0.10")] });
  expect(args).toEqual({
    pools: [{ name: "worker", labels: { zone: "a" }, kubelet: { maxPods: 50 } }],
    kubernetesVersion: "1.37.2",
    clusterDns: ["10.96.0.10"],
  });
});

it("settings that can be outputs stay what they are", async () => {
  const address = pulumi.output("10.0.0.11");
  const workers = [{ name: "worker-1", address, hostKey: "ssh-ed25519 A" }];
  const { pools } = (await from({ pools: [{ name: "worker", workers }] })) as any;
  expect(pools[0].workers[0].address).toBe(address);
  expect(pools[0].workers[0].hostKey).toBe("ssh-ed25519 A");
});

it("a secret object gives its mark to the private key in it, and to nothing else", async () => {
  const { ssh } = (await from({ ssh: pulumi.secret({ user: "admin", port: 22, privateKey: "KEY" }) })) as any;
  expect(ssh).toMatchObject({ user: "admin", port: 22 });
  expect(await pulumi.isSecret(ssh.privateKey)).toBe(true);
  expect(await valueOf(ssh.privateKey)).toBe("KEY");
});

it("a secret private key stays secret", async () => {
  const privateKey = pulumi.secret("KEY");
  expect(((await from({ ssh: { privateKey } })) as any).ssh.privateKey).toBe(privateKey);
});

it("keys that the schema does not know are left to the checks of the component", async () => {
  expect(await from({ pools: [{ nmae: "worker" }], extra: { a: [1] } })).toEqual({
    pools: [{ nmae: "worker" }],
    extra: { a: [1] },
  });
});

it("all values that a component cannot take are reported at once, and no secret is shown", async () => {
  const inputs = {
    kubernetesVersion: pulumi.secret("1.37.2-hidden"),
    pools: [
      {
        name: "worker",
        workers: [{ name: UNKNOWN_OUTPUT, address: UNKNOWN_OUTPUT }],
        kubeletFlags: { "node-ip": pulumi.secret("hidden") },
      },
    ],
    cluster: { server: UNKNOWN },
    tokenTtl: UNKNOWN,
    proxy: pulumi.secret({ http: "hidden" }),
  };
  const error = await from(inputs).catch((thrown: Error) => thrown);
  expect((error as Error).message).toBe(
    [
      "TlsBootstrap 'n': 5 problems",
      "  kubernetesVersion: is a secret, but stands in plain text in state and files: give a value without that mark",
      "  pools[0].workers[0].name: is known only after an update: give a value that the preview knows",
      '  pools[0].kubeletFlags["node-ip"]: is a secret, but stands in plain text in state and files: give a value without that mark',
      "  tokenTtl: is known only after an update: give a value that the preview knows",
      "  proxy: is a secret, but stands in plain text in state and files: give a value without that mark",
    ].join("\n"),
  );
});
