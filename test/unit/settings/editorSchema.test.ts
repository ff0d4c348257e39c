import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv, { type ValidateFunction } from "ajv";
import { parse } from "yaml";
import { ED25519 } from "../fixtures";
import { REPOSITORY } from "../../repository";

/** What an editor with the generated JSON Schemas underlines in a stack file. */
const STACKS = join(REPOSITORY, "stacks");

const validatorOf = (file: string): ValidateFunction =>
  new Ajv({ allErrors: true, strict: false }).compile(JSON.parse(readFileSync(join(STACKS, file), "utf8")));
const stack = validatorOf("schema.json");
const workers = validatorOf("workers.schema.json");

const PREFIX = "tls-bootstrap:";
const worker = `{ name: worker-1, address: 10.0.1.11, hostKey: ${ED25519} }`;
const GOOD = `
${PREFIX}kubernetesVersion: 1.37.2
${PREFIX}platform: org/platform/prod
${PREFIX}ssh: { user: debian }
${PREFIX}pools: [{ name: worker, workers: [${worker}] }]
`;

/** The places that are underlined. */
function underlined(validate: ValidateFunction, value: unknown): string[] {
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath.replaceAll(/~1/g, "/")} ${(params as { additionalProperty?: string }).additionalProperty ?? message}`.trim(),
  );
}
const inConfig = (yaml: string): string[] => underlined(stack, { config: parse(yaml) as unknown });

it.each([
  ["the required settings", GOOD],
  ["an encrypted kubeconfig", GOOD.replace("platform: org/platform/prod", "cluster: { kubeconfig: { secure: v1:x } }")],
  ["an encrypted map", GOOD.replace("ssh: { user: debian }", "ssh: { secure: v1:x }")],
  ["workers in a file", GOOD.replace(`workers: [${worker}]`, "workersFile: workers/a.yaml")],
  ["settings of other programs", `${GOOD}aws:region: eu-west-1\n`],
  ["kubelet fields", `${GOOD}${PREFIX}kubelet: { maxPods: 50, evictionHard: { memory.available: 100Mi } }\n`],
  [
    "a quantity and a number",
    `${GOOD}${PREFIX}kubelet: { containerLogMaxSize: 10Mi, imageGCHighThresholdPercent: 80 }\n`,
  ],
  ["taints", GOOD.replace("name: worker,", "name: worker, taints: [{ key: a, effect: NoSchedule }],")],
  [
    "a runtime",
    `${GOOD}${PREFIX}runtime: { type: tarball, containerd: { version: 2.1.5, sha256: { amd64: ${"a".repeat(64)} } } }\n`,
  ],
  [
    "a drain and a rollout",
    `${GOOD.replace("name: worker,", "name: worker, drain: { barePods: delete }, rollout: { maxUnavailable: 25% },")}${PREFIX}drain: { timeoutSeconds: 60 }\n`,
  ],
  ["a lost worker of another version", GOOD.replace("address:", "lost: true, kubernetesVersion: 1.36.3, address:")],
  ["a kube-proxy", `${GOOD}${PREFIX}kubeProxy: { mode: unit, clusterCidr: 10.244.0.0/16 }\n`],
])("underlines nothing for %s", (_, yaml) => expect(inConfig(yaml)).toEqual([]));

it.each([
  ["a misspelt setting", `${GOOD}${PREFIX}tokenTTL: 1h\n`, "tokenTTL"],
  ["a misspelt key of a worker", GOOD.replace("hostKey", "hostkey"), "hostkey"],
  ["a misspelt key of a pool", GOOD.replace("name: worker,", "name: worker, label: {},"), "label"],
  ["a misspelt kubelet field", `${GOOD}${PREFIX}kubelet: { maxPod: 50 }\n`, "maxPod"],
  ["text in place of a number", `${GOOD}${PREFIX}kubelet: { maxPods: many }\n`, "/maxPods must be integer"],
  ["an unsupported Kubernetes", GOOD.replace("1.37.2", "1.20.1"), "kubernetesVersion must match pattern"],
  [
    "a rollout of too many workers",
    GOOD.replace("name: worker,", "name: worker, rollout: { maxUnavailable: 101% },"),
    "maxUnavailable must match",
  ],
  [
    "an unsupported Kubernetes of a worker",
    GOOD.replace("address:", "kubernetesVersion: 1.20.1, address:"),
    "must match pattern",
  ],
  ["an unknown mode", `${GOOD}${PREFIX}joinPolicy: warn\n`, "joinPolicy must be equal to one of the allowed values"],
  ["an RSA host key", GOOD.replace("ssh-ed25519", "ssh-rsa"), "hostKey must match pattern"],
  [
    "workers beside a workers file",
    GOOD.replace("name: worker,", "name: worker, workersFile: a.yaml,"),
    "must match exactly one schema",
  ],
  ["cluster and platform", `${GOOD}${PREFIX}cluster: {}\n`, "/config must NOT be valid"],
  ["no pools", GOOD.replace(/.*pools.*\n/, ""), "must have required property"],
  [
    "an unknown effect of a taint",
    GOOD.replace("name: worker,", "name: worker, taints: [{ key: a, effect: No }],"),
    "effect must be",
  ],
])("underlines %s", (_, yaml, where) => expect(inConfig(yaml).join("\n")).toContain(where));

it("checks a workers file", () => {
  expect(underlined(workers, parse(`[${worker}]`))).toEqual([]);
  expect(underlined(workers, parse(`[${worker.replace("address", "adress")}]`)).join("\n")).toContain("adress");
});

it("accepts the sample stacks", () => {
  const files = readdirSync(STACKS, { recursive: true, encoding: "utf8" }).filter((file) =>
    /Pulumi\..*\.yaml$/.test(file),
  );
  expect(files.length).toBeGreaterThan(3);
  for (const file of files.filter((name) => !name.endsWith("Pulumi.lab.yaml")))
    expect([file, ...underlined(stack, parse(readFileSync(join(STACKS, file), "utf8")))]).toEqual([file]);
});
