import { makeRequests } from "../../requests/goRequests";
import { Api } from "../api";
import { changes, eventually, TestLab } from "../testLab";

/** Two stacks on one cluster, with pools of the same name. */
const lab = new TestLab();
jest.setTimeout(600_000);
const WORKERS = { east: "worker-1", west: "worker-2" } as const;
type Stack = keyof typeof WORKERS;

/** The options for a stack whose pool `worker` has one of the lab's workers. */
async function optionsOf(stack: Stack): Promise<string[]> {
  const file = await lab.configFile(stack, (settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    pool.workers = pool.workers.filter(({ name }: { name: string }) => name === WORKERS[stack]);
    settings["tls-bootstrap:kubeProxy"].mode = "daemonset";
    settings["tls-bootstrap:servingCertificates"] = { mode: "approver" };
    return settings;
  });
  return ["--stack", stack, "--config-file", file];
}

const objects = async (kind: string): Promise<string[]> =>
  (await lab.kubectl("get", kind, "-A", "-o", "name")).split("\n").filter((name) => name.includes("tls-bootstrap"));

/** The answer to a certificate request for a node by a token of a stack. Impersonates the token, because the update has revoked it. */
async function answer(stack: Stack, node: string): Promise<string> {
  const [[request]] = makeRequests([node]);
  const asked = {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { generateName: "asked-" },
    spec: {
      request,
      signerName: "kubernetes.io/kube-apiserver-client-kubelet",
      usages: ["digital signature", "client auth"],
    },
  };
  const file = await lab.writeManifest(asked);
  const groups = ["system:bootstrappers", `system:bootstrappers:tls-bootstrap-${stack}:worker`, "system:authenticated"];
  const as = ["--as=system:bootstrap:abc123", ...groups.map((group) => `--as-group=${group}`)];
  const { stdout, stderr } = await lab.run("kubectl", ...as, "create", "-f", file);
  return stdout + stderr;
}

beforeAll(async () => {
  await lab.out("kube-proxy-image");
});

afterAll(async () => {
  for (const stack of ["east", "west"] as const) await lab.run("destroy", ...(await optionsOf(stack)));
  // The kubelets' requests for serving certificates, and the folder that the kubelet creates for kube-proxy's pods.
  await lab.kubectl("delete", "csr", "--all");
  for (const worker of Object.values(WORKERS)) await lab.exec(worker, "rm", "-rf", "/usr/lib/modules");
});

it("each joins its worker, and needs no change afterwards", async () => {
  const stacks = [await optionsOf("east"), await optionsOf("west")];
  for (const options of stacks) await lab.operate("deploy", ...options);
  const { nodes } = await lab.status();
  expect(nodes?.map(({ name, ready }) => [name, ready])).toEqual([
    ["worker-1", true],
    ["worker-2", true],
  ]);
  for (const options of stacks) expect(changes(await lab.operate("preview", "--refresh", ...options))).toEqual([]);
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

it("a token of one cannot claim a name of the other", async () => {
  // The policies of both stacks deny that.
  expect(await answer("east", "worker-2")).toContain("asks for node 'worker-2'");
});

it("a destroy of one leaves the other without a change, with all its policies", async () => {
  const west = await optionsOf("west");
  const kinds = ["validatingadmissionpolicies", "validatingadmissionpolicybindings", "clusterrolebindings", "roles"];
  const ofWest = async () =>
    (await Promise.all(kinds.map(objects))).flat().filter((name) => name.includes("tls-bootstrap-west"));
  const before = await ofWest();
  expect(before.length).toBeGreaterThan(9);
  await lab.operate("destroy", ...(await optionsOf("east")));

  expect(await ofWest()).toEqual(before);
  expect((await Promise.all(kinds.map(objects))).flat()).toEqual(before);
  expect(changes(await lab.operate("preview", "--refresh", ...west))).toEqual([]);
  const outputs = await lab.json<any>("output", "--show-secrets", ...west);
  expect(await answer("west", "worker-1")).toContain("asks for node 'worker-1': a token of worker may ask for");
  const found = await new Api(outputs.bootstrapKubeconfigs.worker).anonymously(
    "/api/v1/namespaces/kube-public/configmaps/cluster-info",
  );
  expect(found.body.data.kubeconfig).toBe(outputs.clusterInfo);
});

it("the last one is destroyed too, though its approver comes back on the cordoned node", async () => {
  await lab.operate("destroy", ...(await optionsOf("west")));
  expect(await objects("deployments,daemonsets,validatingadmissionpolicies,clusterrolebindings,nodes")).toEqual([]);
});
