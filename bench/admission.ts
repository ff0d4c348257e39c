/**
 * Measures what the policies add to a certificate request: npm run bench:admission
 * Uses a lab without workers, with Nodes of real size that are Ready. The pool of one stack joins a worker; two other stacks have workers, too. Each case
 * alternates with the same cluster without policies. The last cases have a scale group, whose policy looks at every Node that no stack has declared. Prints a table.
 */
import { readFile } from "node:fs/promises";
import * as pulumi from "@pulumi/pulumi";
import { JoinPolicy, ServingPolicy } from "../components";
import { WORKER_LABEL } from "../components/cluster/names";
import { Api } from "../test/e2e/api";
import { TestLab } from "../test/e2e/testLab";
import { makeRequests } from "../test/requests/goRequests";
import { policiesRead } from "./benchLab";
import { median } from "./join";

const ROUNDS = 3;
const REQUESTS = 60;
interface Case {
  /** Workers of the pool that joins. */
  readonly pool: number;
  /** Workers of each of two other stacks. */
  readonly others: number;
  /** Other Nodes, in a cluster with a scale group. */
  readonly undeclared?: number;
}
const CASES: readonly Case[] = [
  { pool: 3, others: 3 },
  { pool: 3, others: 1000 },
  { pool: 100, others: 3 },
  { pool: 300, others: 3 },
  { pool: 1000, others: 1000 },
  { pool: 3, others: 3, undeclared: 100 },
  { pool: 3, others: 3, undeclared: 1000 },
];
const TOKEN = {
  user: "system:bootstrap:abc123",
  groups: ["system:bootstrappers", "system:bootstrappers:own", "system:authenticated"],
};
const POLICIES = ["validatingadmissionpolicybindings", "validatingadmissionpolicies"];

const list = (items: readonly object[]) => ({ apiVersion: "v1", kind: "List", items });

/** The policies of a stack, while its pool's token is valid (`joins`) or after that. */
async function policiesOf(
  stack: string,
  names: readonly string[],
  joins: boolean,
  hasGroup: boolean,
): Promise<object[]> {
  const objects: object[] = [];
  await pulumi.runtime.setMocks({
    call: () => ({}),
    newResource: ({ type, name, inputs }) => {
      const kind = type.split(":").at(-1);
      if (type.startsWith("kubernetes:"))
        objects.push({ apiVersion: "admissionregistration.k8s.io/v1", kind, ...(inputs as object) });
      return { id: name, state: inputs as Record<string, unknown> };
    },
  });
  const claims = [
    { name: "worker", group: `system:bootstrappers:${stack}`, nodes: [...names] },
    ...(hasGroup ? [{ name: "burst", group: "system:bootstrappers:burst", namePrefix: "burst-" }] : []),
  ];
  new JoinPolicy(stack, { claims, bindReadyNodes: joins });
  const nodes = names.map((name, i) => ({ name, address: `10.0.${i >> 8}.${i & 255}` }));
  new ServingPolicy(stack, { pools: [{ name: "worker", nodes }], mode: "manual" });
  await pulumi.runtime.disconnect();
  return objects;
}

/** A Node as large as in a cluster that is in use: 50 images, 12 annotations. */
function nodeOf(name: string, labels: object): object {
  const annotations = Array.from({ length: 12 }, (_, i) => [`example.com/annotation-${i}`, "value ".repeat(8)]);
  const images = Array.from({ length: 50 }, (_, i) => {
    const image = `registry.example.com/team/image-${i}`;
    return { names: [`${image}@sha256:${"0".repeat(64)}`, `${image}:1.2.3`], sizeBytes: 100_000_000 };
  });
  const conditions = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].map((type) => ({
    type,
    status: type === "Ready" ? "True" : "False",
  }));
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: { "kubernetes.io/hostname": name, ...labels },
      annotations: Object.fromEntries(annotations),
    },
    status: { images, conditions },
  };
}

/** Median milliseconds of a request for a worker that has no Node yet. */
async function latency(api: Api, request: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const begin = performance.now();
    const { status, body } = await api.wouldAnswer(TOKEN, request);
    times.push(performance.now() - begin);
    if (status !== 201) throw new Error(body.message as string);
  }
  return median(times);
}

async function measure(lab: TestLab, api: Api, { pool, others, undeclared }: Case): Promise<void> {
  const namesOf = (stack: string, count: number) => Array.from({ length: count }, (_, i) => `${stack}-${i + 1}`);
  const stacks: [string, string[]][] = [
    ["own", namesOf("own", pool)],
    ["east", namesOf("east", others)],
    ["west", namesOf("west", others)],
  ];
  const policies: object[] = [];
  for (const [stack, names] of stacks)
    policies.push(...(await policiesOf(stack, names, stack === "own", stack === "own" && undeclared !== undefined)));
  const [joining, ...ready] = stacks.flatMap(([, names]) => names);
  await api.call("DELETE", "/api/v1/nodes"); // all at once
  const nodes = [
    ...ready.map((name) => nodeOf(name, { [WORKER_LABEL]: "bench" })),
    ...namesOf("other", undeclared ?? 0).map((name) => nodeOf(name, {})),
  ];
  for (let i = 0; i < nodes.length; i += 200)
    await lab.kubectl("create", "-f", await lab.writeManifest(list(nodes.slice(i, i + 200))));
  const [[request]] = makeRequests([joining]);
  const [without, added]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    await lab.kubectl("delete", "--all", POLICIES.join(","));
    await policiesRead();
    without.push(await latency(api, request));
    await lab.kubectl("create", "-f", await lab.writeManifest(list(policies)));
    await policiesRead();
    added.push((await latency(api, request)) - without.at(-1)!);
  }
  const ms = (values: number[]) => median(values).toFixed(1);
  const kilobytes = Math.round(
    JSON.stringify(policies.filter((object) => JSON.stringify(object).includes("own-names"))).length / 1000,
  );
  console.log(
    `| ${pool} | ${others} | ${undeclared ?? "no scale group"} | ${ms(without)} | ${ms(added)} | ${kilobytes} KB |`,
  );
}

async function main(): Promise<void> {
  const lab = new TestLab("bench");
  await lab.out("up", "--workers", "0");
  try {
    await lab.out("stop", "kube-controller-manager"); // it would find that nobody renews the Nodes' leases
    const role = "--clusterrole=system:node-bootstrapper";
    await lab.kubectl("create", "clusterrolebinding", "bench", role, "--group=system:bootstrappers");
    const api = new Api(await readFile((await lab.facts()).kubeconfig, "utf8"));
    console.log(
      "| workers of the pool | of each other stack | undeclared Nodes | ms without policies | ms added | policy for names |",
    );
    console.log("| --- | --- | --- | --- | --- | --- |");
    for (const each of CASES) await measure(lab, api, each);
  } finally {
    await lab.run("down");
  }
}

void main();
