import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { REPOSITORY } from "../../repository";
import { blocksOf } from "../pageBlocks";
import { PageCommands } from "../pageCommands";
import { podOn } from "../pods";
import { changes, eventually, TestLab } from "../testLab";
import { upstreamFile } from "../upstream";

/** Flannel as the lab's network plugin, with the manifest of its release. Each test builds on the tests before it. */
const lab = new TestLab();
jest.setTimeout(1_200_000); // the first run builds Flannel

const TWO = ["worker-1", "worker-2"];
const MANIFEST = upstreamFile("flanneld", "Documentation/kube-flannel.yml");
const AGENT_NOT_READY = { key: "node.cilium.io/agent-not-ready", value: "true", effect: "NoSchedule" };
/** The lab's own config of the network, which the test puts away. Pods of earlier tests leave its bridge, which has Flannel's name. */
const OWN = "/etc/cni/net.d/10-lab.conflist";
const AWAY = "/var/tmp/10-lab.conflist";

const node = (name: string) => lab.get<any>("node", name);
const shellOnBoth = (script: string) => Promise.all(TWO.map((worker) => lab.shell(worker, script)));
const useWorkers = (choose: (workers: any[]) => any[]) =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers = choose(workers);
  });
let workers: any[];
let page: string;

beforeAll(async () => {
  await lab.follow((text) => process.stderr.write(`${text}\n`), "images", "flannel", "flannel-cni-plugin");
  await lab.out("binaries", "kube-proxy");
  const flags = ["--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/16"];
  await lab.out("up", ...flags.flatMap((flag) => ["--flag", `kube-controller-manager=${flag}`]));
  page = await readFile(join(REPOSITORY, "docs/network-plugins.md"), "utf8");
  const settings = Object.assign({}, ...blocksOf(page, ["yaml"]).map(({ text }) => parse(text)));
  await lab.configure((own) => {
    Object.assign(own["tls-bootstrap:kubeProxy"], settings["tls-bootstrap:kubeProxy"]);
    workers = own["tls-bootstrap:pools"][0].workers;
  });
  await shellOnBoth(`mv ${OWN} ${AWAY}; ip link delete cni0 2>/dev/null || true`);
});

afterAll(async () => {
  await lab.run("kubectl", "delete", "pod", "on-worker-1", "on-worker-2", "--ignore-not-found");
  await lab.run("kubectl", "delete", "-f", MANIFEST, "--ignore-not-found");
  await lab.run("destroy");
  await shellOnBoth(`
    ip link delete flannel.1; ip link delete cni0
    iptables-save | grep -v FLANNEL | iptables-restore
    rm -rf /run/flannel /opt/cni/bin/flannel
    mv ${AWAY} ${OWN}`);
  await lab.run("up", "--reset-flags");
});

it("a join waits for the network plugin, and ends when the plugin has made the node Ready", async () => {
  await useWorkers(([first]) => [first]);
  const deployed = lab.operate("deploy");
  await eventually(async () => {
    const { status } = await node("worker-1");
    const ready = status.conditions.find(({ type }: any) => type === "Ready");
    expect(ready).toMatchObject({ status: "False", message: expect.stringContaining("cni plugin not initialized") });
  }, 120);
  await lab.kubectl("apply", "-f", MANIFEST);
  const { outputs } = await deployed;
  expect(outputs).toMatchObject({ receipts: { "worker-1": { node: "worker-1" } } });
});

it("a worker that joins later finds the plugin, and no node has another network config", async () => {
  await useWorkers(([first, second]) => [first, { ...second, taints: [AGENT_NOT_READY] }]);
  await lab.operate("deploy");
  expect(await shellOnBoth("ls /etc/cni/net.d")).toEqual(Array(2).fill("10-flannel.conflist\n"));
  const subnets = await Promise.all(TWO.map(async (name) => (await node(name)).spec.podCIDR));
  expect(subnets.sort()).toEqual(["10.244.0.0/24", "10.244.1.0/24"]);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a pod on one worker reaches a pod on the other through VXLAN", async () => {
  const serve = "echo served >/tmp/index.html; exec httpd -f -p 8080 -h /tmp";
  const [container] = podOn("worker-2").spec.containers;
  const server = podOn("worker-2", { containers: [{ ...container, command: ["sh", "-c", serve] }] });
  await lab.apply({ apiVersion: "v1", kind: "List", items: [podOn("worker-1"), server] });
  await lab.kubectl("wait", "pod", "on-worker-1", "on-worker-2", "--for=condition=Ready", "--timeout=60s");
  const { podIP } = (await lab.get<any>("pod", "on-worker-2")).status;
  const [from, to] = await Promise.all(TWO.map((name) => node(name).then(({ spec }) => spec.podCIDR.slice(0, -4))));
  expect(podIP.startsWith(to)).toBe(true);
  expect(from).not.toBe(to);

  const device = async () =>
    JSON.parse(await lab.exec("worker-1", "ip", "-json", "-details", "-statistics", "link", "show", "flannel.1"))[0];
  const sent = async () => (await device()).stats64.tx.packets;
  const before = await sent();
  const ask = `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${podIP} 8080 | tail -n 1`;
  expect(await lab.kubectl("exec", "on-worker-1", "--", "sh", "-c", ask)).toBe("served\n");
  expect(await sent()).toBeGreaterThan(before);
  expect((await device()).linkinfo.info_kind).toBe("vxlan");
});

it("a refresh brings a declared taint back that a plugin removed, and leaves one alone that a plugin set", async () => {
  const { key, value, effect } = AGENT_NOT_READY;
  await lab.kubectl("taint", "node", "worker-1", `${key}=${value}:${effect}`);
  await lab.kubectl("taint", "node", "worker-2", `${key}-`);
  expect(changes(await lab.operate("preview"))).toEqual([]);
  expect(changes(await lab.operate("preview", "--refresh"))).toEqual(["update tls-bootstrap-worker-2-node"]);
});

it("the page's command lets Flannel run on nodes with any taint", async () => {
  await lab.kubectl("taint", "node", "worker-1", "dedicated=batch:NoExecute");
  const flannelOf = async (name: string) => {
    const pods = ["pods", "-n", "kube-flannel", "--field-selector", `spec.nodeName=${name}`];
    return (await lab.get<{ items: any[] }>(...pods)).items.length;
  };
  await eventually(async () => expect(await flannelOf("worker-1")).toBe(0));
  await new PageCommands(lab, page).out("kubectl patch daemonset");
  await lab.kubectl("rollout", "status", "-n", "kube-flannel", "daemonset/kube-flannel-ds", "--timeout=90s");
  expect(await flannelOf("worker-1")).toBe(1);
  await lab.kubectl("taint", "node", "worker-1", "dedicated-");
});
