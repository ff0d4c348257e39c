import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { makeRequests } from "../../requests/goRequests";
import { Api, liveTokens } from "../api";
import { changes, eventually, TestLab } from "../testLab";

/**
 * Three stacks on one cluster: two with pools of the same name, and one with a scale group. While one stack works, the others sleep. Each test builds
 * on the tests before it.
 */
const lab = new TestLab();
jest.setTimeout(600_000);
const NODES = { east: "worker-1", west: "worker-2", elastic: "burst-1" } as const;
type Stack = keyof typeof NODES;
const STACKS = Object.keys(NODES) as Stack[];
/** The machine of the scale group. */
const MACHINE = "worker-5";
const hostOf = (stack: Stack): string => (stack === "elastic" ? MACHINE : NODES[stack]);

/** The options for a stack with these settings of its kubelets. */
async function optionsOf(stack: Stack, more: object = {}): Promise<string[]> {
  const file = await lab.configFile(stack, (settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    const kubelet = { ...pool.kubelet, ...more };
    if (stack === "elastic") {
      settings["tls-bootstrap:pools"] = [{ name: "none", workers: [] }];
      settings["tls-bootstrap:scaleGroups"] = [{ name: "burst", namePrefix: "burst-", kubelet, userData: {} }];
      return settings;
    }
    pool.kubelet = kubelet;
    pool.workers = pool.workers.filter(({ name }: { name: string }) => name === NODES[stack]);
    settings["tls-bootstrap:kubeProxy"].mode = "daemonset";
    settings["tls-bootstrap:servingCertificates"] = { mode: "approver" };
    return settings;
  });
  return ["--stack", stack, "--config-file", file];
}

/** The options of each stack, as it was deployed last. */
const options = {} as Record<Stack, string[]>;

async function deploy(stack: Stack, more?: object): Promise<void> {
  options[stack] = await optionsOf(stack, more);
  await lab.operate("deploy", ...options[stack]);
}

/** What changes when somebody touches a node: its Node, its kubelet's process, and the logins. */
const traceOf = async (stack: Stack) => [
  (await lab.get<any>("node", NODES[stack])).metadata.uid,
  await lab.isReady(NODES[stack]),
  await lab.kubeletPid(hostOf(stack)),
  await lab.sessions(hostOf(stack)),
];

/** Runs something, and expects that nobody has touched the nodes of these stacks. */
async function whileAsleep(stacks: readonly Stack[], act: () => Promise<unknown>): Promise<void> {
  const traces = () => Promise.all(stacks.map(traceOf));
  const before = await traces();
  await act();
  expect(await traces()).toEqual(before);
  expect(before.map(([, ready]) => ready)).toEqual(stacks.map(() => true));
}

async function expectNoChanges(stacks: readonly Stack[]): Promise<void> {
  for (const stack of stacks)
    expect([stack, changes(await lab.operate("preview", "--refresh", ...options[stack]))]).toEqual([stack, []]);
}

const others = (stack: Stack): Stack[] => STACKS.filter((other) => other !== stack);

const userData = async (): Promise<string> =>
  (await lab.json<any>("output", "--show-secrets", ...options.elastic)).userData.burst;

/** Does what cloud-init does with user data. */
async function boot(config: string): Promise<void> {
  const { write_files, runcmd } = parse(config) as { write_files: Record<string, string>[]; runcmd: string[][] };
  await lab.exec(MACHINE, "hostname", NODES.elastic);
  for (const { path, permissions, encoding, content } of write_files) {
    const encoded = encoding ? content : Buffer.from(content).toString("base64");
    const decode = encoding ? "base64 -d | gunzip" : "base64 -d";
    await lab.shell(
      MACHINE,
      `mkdir -p "$(dirname ${path})"; echo ${encoded} | ${decode} >${path}; chmod ${permissions} ${path}`,
    );
  }
  for (const command of runcmd) await lab.exec(MACHINE, ...command);
}

const objects = async (kind: string): Promise<string[]> =>
  (await lab.kubectl("get", kind, "-A", "-o", "name")).split("\n").filter((name) => name.includes("tls-bootstrap"));

/** The answer to a certificate request for a node by a token of a stack. Impersonates the token, because an update revokes those of pools. */
async function answer(stack: Stack, node: string): Promise<string> {
  const [[request]] = makeRequests([node]);
  const holder = stack === "elastic" ? "burst" : "worker";
  const groups = [
    "system:bootstrappers",
    `system:bootstrappers:tls-bootstrap-${stack}:${holder}`,
    "system:authenticated",
  ];
  const { body } = await administrator.wouldAnswer({ user: "system:bootstrap:abc123", groups }, request);
  return body.message ?? "";
}
let administrator: Api;

beforeAll(async () => {
  await lab.out("up", "--workers", "5");
  await lab.out("images", "kube-proxy");
  administrator = new Api(await readFile((await lab.facts()).kubeconfig, "utf8"));
});

afterAll(async () => {
  for (const stack of STACKS) await lab.run("destroy", ...(options[stack] ?? (await optionsOf(stack))));
  await lab.run("kubectl", "delete", "node", NODES.elastic);
  const tokens = (await liveTokens(lab)).map(({ metadata }) => metadata.name as string);
  if (tokens.length > 0) await lab.kubectl("delete", "secrets", "-n", "kube-system", ...tokens);
  // The kubelets' requests for serving certificates, and the folder that the kubelet creates for kube-proxy's pods.
  await lab.kubectl("delete", "csr", "--all");
  for (const worker of [NODES.east, NODES.west]) await lab.exec(worker, "rm", "-rf", "/usr/lib/modules");
  await lab.out("up", "--workers", "4");
});

it("each brings up its nodes while the others sleep, and needs no change afterwards", async () => {
  await deploy("east");
  await whileAsleep(["east"], () => deploy("west"));
  await whileAsleep(["east", "west"], async () => {
    await deploy("elastic");
    await boot(await userData());
    await eventually(async () => expect(await lab.isReady(NODES.elastic)).toBe(true), 180);
  });
  await expectNoChanges(STACKS);
});

it("each runs its kube-proxy on its own nodes", async () => {
  const pods = async () => {
    const { items } = await lab.get<{ items: any[] }>("pods", "-A", "-l", "app.kubernetes.io/name=kube-proxy");
    return items.map(({ spec, metadata }) => [metadata.labels["app.kubernetes.io/instance"], spec.nodeName]).sort();
  };
  await eventually(async () =>
    expect(await pods()).toEqual([
      ["tls-bootstrap-east-kube-proxy", "worker-1"],
      ["tls-bootstrap-west-kube-proxy", "worker-2"],
    ]),
  );
});

it.each<[Stack, string[]]>([
  ["east", ["worker-2", "burst-2"]],
  ["west", ["worker-1", "burst-2"]],
  ["elastic", ["worker-1", "worker-2", "worker-3"]],
])("a token of %s cannot claim a name of the others", async (stack, names) => {
  for (const name of names) expect(await answer(stack, name)).toContain(`asks for node '${name}'`);
});

it("the live token of the scale group gets a name of its own", async () => {
  const { bootstrapKubeconfigs } = await lab.json<any>("output", "--show-secrets", ...options.elastic);
  const [[own], [foreign]] = [makeRequests(["burst-2"]), makeRequests(["worker-1"])].flat();
  const token = new Api(bootstrapKubeconfigs.burst);
  expect((await token.askFor(foreign)).status).toBe(422);
  expect((await token.askFor(own)).status).toBe(201);
});

it("each changes its nodes while the others sleep, and needs no change afterwards", async () => {
  const before = await userData();
  for (const stack of STACKS) await whileAsleep(others(stack), () => deploy(stack, { maxPods: 60 }));
  for (const node of [NODES.east, NODES.west])
    expect((await lab.get<any>("node", node)).status.allocatable.pods).toBe("60");
  expect(await userData()).not.toBe(before); // for the next machine
  await expectNoChanges(STACKS);
});

it("a destroy of one leaves the others without a change, with all their policies", async () => {
  const kinds = ["validatingadmissionpolicies", "validatingadmissionpolicybindings", "clusterrolebindings", "roles"];
  const ofOthers = async () =>
    (await Promise.all(kinds.map(objects))).flat().filter((name) => !name.includes("tls-bootstrap-east"));
  const before = await ofOthers();
  expect(before.length).toBeGreaterThan(18);
  await whileAsleep(others("east"), () => lab.operate("destroy", ...options.east));

  expect((await Promise.all(kinds.map(objects))).flat()).toEqual(before);
  await expectNoChanges(others("east"));
  const outputs = await lab.json<any>("output", "--show-secrets", ...options.west);
  expect(await answer("west", "worker-1")).toContain("asks for node 'worker-1': a token of worker may ask for");
  const found = await new Api(outputs.bootstrapKubeconfigs.worker).anonymously(
    "/api/v1/namespaces/kube-public/configmaps/cluster-info",
  );
  expect(found.body.data.kubeconfig).toBe(outputs.clusterInfo);
});

it("a destroy of the scale group's stack leaves its machine, and the last stack without a change", async () => {
  await whileAsleep(["west", "elastic"], () => lab.operate("destroy", ...options.elastic));
  await expectNoChanges(["west"]);
  await lab.exec(MACHINE, "systemctl", "stop", "kubelet");
  await lab.kubectl("delete", "node", NODES.elastic);
});

it("the last one is destroyed too, though its approver comes back on the cordoned node", async () => {
  await lab.operate("destroy", ...options.west);
  expect(await objects("deployments,daemonsets,validatingadmissionpolicies,clusterrolebindings,nodes")).toEqual([]);
});
