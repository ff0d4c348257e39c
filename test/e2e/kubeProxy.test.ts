import { resolve } from "node:path";
import { Api } from "./api";
import { changes, eventually, TestLab } from "./testLab";

/** kube-proxy's identity: what it may do, in both forms, and how it ends. */
const lab = new TestLab();
const PROGRAM = resolve(__dirname, "..", "..", "examples", "kube-proxy");
let at: string[];

beforeAll(async () => {
  const file = await lab.configFile("kube-proxy", ({ "tls-bootstrap:cluster": cluster }) => ({
    "kube-proxy:server": cluster.server,
    "kube-proxy:ca": cluster.ca,
    "kube-proxy:kubeconfig": cluster.kubeconfig,
  }));
  at = ["--program", PROGRAM, "--config-file", file];
  await lab.operate("deploy", ...at);
});

afterAll(() => lab.run("destroy", ...at));

const api = async () => new Api((await lab.json<{ kubeconfig: string }>("output", "--show-secrets", ...at)).kubeconfig);

const WATCHED = ["/api/v1/services", "/api/v1/nodes", "/apis/discovery.k8s.io/v1/endpointslices"];
const FORBIDDEN = ["/api/v1/secrets", "/api/v1/namespaces/kube-system/secrets", "/api/v1/pods", "/api/v1/configmaps"];

it("the unit's token reads what kube-proxy watches, and nothing else", async () => {
  const proxy = await api();
  const status = async (path: string) => [path, (await proxy.call("GET", path)).status];
  for (const path of WATCHED) expect(await status(path)).toEqual([path, 200]);
  for (const path of FORBIDDEN) expect(await status(path)).toEqual([path, 403]);
  expect(changes(await lab.operate("preview", ...at))).toEqual([]);
});

it("its output is a secret", async () =>
  expect((await lab.json<{ kubeconfig: string }>("output", ...at)).kubeconfig).toBe("[secret]"));

it("the pods' ServiceAccount may do the same, with tokens that are bound to a pod", async () => {
  const { serviceAccountName } = await lab.json<{ serviceAccountName: string }>("output", ...at);
  const user = `--as=system:serviceaccount:kube-system:${serviceAccountName}`;
  const can = async (what: string) =>
    (await lab.run("kubectl", "auth", "can-i", "list", what, "-A", user)).stdout.trim();
  for (const what of ["services", "nodes", "endpointslices.discovery.k8s.io"]) expect(await can(what)).toBe("yes");
  for (const what of ["secrets", "pods", "configmaps"]) expect(await can(what)).toBe("no");
});

it("the unit's token ends with its Secret", async () => {
  const proxy = await api();
  await lab.kubectl("delete", "secret", "-n", "kube-system", "kube-proxy-unit-token");
  await eventually(async () => expect((await proxy.call("GET", "/api/v1/services")).status).toBe(401), 30);
});
