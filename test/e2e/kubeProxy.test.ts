import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Api } from "./api";
import { ProcessWatch } from "./processWatch";
import { leaksOf } from "./secretLeaks";
import { changes, eventually, TestLab } from "./testLab";
import { REPOSITORY } from "../repository";

const lab = new TestLab();
const PROGRAM = join(REPOSITORY, "examples", "kube-proxy");

describe("the identity: what it may do, in both forms, and how it ends", () => {
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

  const api = async () =>
    new Api((await lab.json<{ kubeconfig: string }>("output", "--show-secrets", ...at)).kubeconfig);

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
});

/** Two workers: a pod that serves on one of them, and who asks on the other. Each step builds on the one before it. */
describe("a Service", () => {
  const ADDRESS = "10.96.7.7"; // of the lab's services
  const NODE_PORT = 30080;
  const TWO = ["worker-1", "worker-2"];
  const command = (worker: string, step: string) => `tls-bootstrap-${worker}-${step}`;
  const ofBoth = (op: string, step: string) => TWO.map((worker) => `${op} ${command(worker, step)}`);

  const configure = (change: (kubeProxy: Record<string, any>) => void) =>
    lab.configure((settings) => {
      settings["tls-bootstrap:pools"][0].workers.splice(2);
      change(settings["tls-bootstrap:kubeProxy"]);
    });

  const container = (command: string[]) => ({
    name: "main",
    image: "lab.local/busybox:1",
    imagePullPolicy: "IfNotPresent",
    command,
  });
  const pod = (name: string, nodeName: string, ...command: string[]) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: { nodeName, terminationGracePeriodSeconds: 0, containers: [container(command)] },
  });
  const OBJECTS = {
    apiVersion: "v1",
    kind: "List",
    items: [
      pod("web", "worker-1", "sh", "-c", "mkdir /www; echo served >/www/index.html; exec httpd -f -p 8080 -h /www"),
      pod("client", "worker-2", "sleep", "100000"),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: {
          type: "NodePort",
          selector: { app: "web" },
          clusterIP: ADDRESS,
          ports: [{ port: 80, targetPort: 8080, nodePort: NODE_PORT }],
        },
      },
    ],
  };

  const pidOf = async (worker: string, unit: string) =>
    (await lab.exec(worker, "systemctl", "show", "-P", "MainPID", unit)).trim();

  /** Asks from a pod, from its node, and at the port of that node from the other one. */
  const answers = async (): Promise<string[]> => {
    const { workers } = await lab.status();
    const { address } = workers.find(({ name }) => name === "worker-2")!;
    const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${ADDRESS} 80 | tail -n 1`;
    const said = await Promise.all([
      lab.kubectl("exec", "client", "--", "sh", "-c", ask),
      lab.exec("worker-2", "curl", "--silent", "--max-time", "3", `http://${ADDRESS}/`),
      lab.exec("worker-1", "curl", "--silent", "--max-time", "3", `http://${address}:${NODE_PORT}/`),
    ]);
    return said.map((text) => text.trim());
  };
  const ALL = ["served", "served", "served"];

  /** kube-proxy's rules; the kubelet has chains of its own. */
  const rules = async (worker: string) =>
    (await lab.exec(worker, "iptables-save"))
      .split("\n")
      .filter((line) => /^-A KUBE-(SERVICES|SVC|SEP|NODEPORTS)/.test(line));

  beforeAll(async () => {
    await lab.out("binaries", "kube-proxy");
    await configure((kubeProxy) => (kubeProxy.mode = "unit"));
  });

  afterAll(async () => {
    await lab.run("kubectl", "delete", "service,pod", "web", "client", "--ignore-not-found", "--wait=false");
    await lab.run("destroy");
    // The kubelet makes this folder for kube-proxy's pods, where a machine has none.
    for (const worker of TWO) await lab.shell(worker, "rmdir --ignore-fail-on-non-empty /usr/lib/modules || true");
  });

  let watch: ProcessWatch;
  it("answers where kube-proxy is a unit: in a pod, on a node, and at the port of a node", async () => {
    watch = new ProcessWatch();
    await lab.operate("deploy");
    const manifest = join((await lab.facts()).stateDir, "service.json");
    await writeFile(manifest, JSON.stringify(OBJECTS));
    await lab.kubectl("apply", "-f", manifest);
    await eventually(async () => expect(await answers()).toEqual(ALL), 90);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("its token is in no state, output, log, journal or process list, and on the hosts in one file of root's", async () => {
    const file = "/etc/kubernetes/kube-proxy.conf";
    const kubeconfig = await lab.exec("worker-1", "cat", file);
    const token = /token: (\S+)/.exec(kubeconfig)![1];
    expect(token.length).toBeGreaterThan(100);
    expect(await leaksOf(lab, { token }, watch.stop(), (text) => text !== kubeconfig)).toEqual([]);
    // In brackets, the first letter keeps the token itself out of grep's command line.
    const search = `grep -rl '[${token[0]}]${token.slice(1)}' /etc /var /run /root /home /tmp 2>/dev/null || true`;
    expect(await lab.shell("worker-1", search)).toBe(`${file}\n`);
  });

  it("shows its metrics to the host alone, and keeps its files to root", async () => {
    const listening = await lab.shell(
      "worker-1",
      "ss -Hltn 'sport = :10249 or sport = :10256' | awk '{ print $4 }' | sort",
    );
    expect(listening.trim().split("\n")).toEqual(["*:10256", "127.0.0.1:10249"]);
    const files =
      "/etc/kubernetes/kube-proxy.conf /var/lib/kube-proxy/config.yaml /etc/systemd/system/kube-proxy.service";
    expect((await lab.shell("worker-1", `stat -c '%a %U' ${files}`)).trim().split("\n")).toEqual(
      Array(3).fill("600 root"),
    );
  });

  it("a setting is one line in the preview of each worker, and restarts kube-proxy alone", async () => {
    const pids = () => Promise.all([pidOf("worker-1", "kubelet"), pidOf("worker-1", "kube-proxy")]);
    const [kubelet, proxy] = await pids();
    await configure((kubeProxy) => (kubeProxy.config.nodePortAddresses = ["primary"]));
    const preview = await lab.operate("preview");
    expect(changes(preview)).toEqual(ofBoth("update", "kubelet"));
    const shown = await lab.out("preview", "--diff");
    expect(shown.match(/^.*\+ *nodePortAddresses:.*$/gm)).toHaveLength(2);
    await lab.operate("deploy");
    const [sameKubelet, newProxy] = await pids();
    expect(sameKubelet).toBe(kubelet);
    expect(newProxy).not.toBe(proxy);
    await eventually(async () => expect(await answers()).toEqual(ALL));
  });

  it("a setting that kube-proxy cannot start with is undone, and Services go on", async () => {
    // The time between two syncs would be longer than the time after which there is one in any case (30 s).
    await configure((kubeProxy) => (kubeProxy.config.iptables = { minSyncPeriod: "1h" }));
    const errors = await lab.fails("deploy");
    expect(errors).toContain("with the new files kube-proxy of worker-1 does not become healthy");
    expect(errors).toContain("must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod");
    await eventually(async () => expect(await answers()).toEqual(ALL));
    await configure((kubeProxy) => delete kubeProxy.config.iptables);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("a credential that was revoked is replaced in place", async () => {
    await lab.kubectl("delete", "secret", "-n", "kube-system", "tls-bootstrap-lab-kube-proxy-token");
    const { steps } = await lab.operate("deploy", "--refresh");
    const replaced = steps.filter(({ op, name }) => op === "update" && name.endsWith("-kube-proxy"));
    expect(replaced.map(({ name }) => name).sort()).toEqual(TWO.map((worker) => command(worker, "kube-proxy")));
    expect(await answers()).toEqual(ALL);
  });

  it("takes its rules, its files and its unit away when it is turned off, and no node is drained for that", async () => {
    expect(await rules("worker-1")).not.toEqual([]);
    await configure((kubeProxy) => (kubeProxy.mode = "off"));
    const changed = changes(await lab.operate("deploy"));
    expect(changed).toEqual(expect.arrayContaining(ofBoth("delete", "kube-proxy")));
    expect(changed.filter((step) => step.endsWith("-join"))).toEqual([]);
    for (const worker of TWO) {
      expect(await rules(worker)).toEqual([]);
      const left = await lab.shell(
        worker,
        "ls -d /etc/kubernetes/kube-proxy.conf /var/lib/kube-proxy /etc/systemd/system/kube-proxy.service /usr/local/bin/kube-proxy 2>/dev/null || true",
      );
      expect(left).toBe("");
      expect(await pidOf(worker, "kube-proxy")).toBe("0");
    }
  });

  it("answers where kube-proxy runs as pods", async () => {
    await lab.out("kube-proxy-image");
    await configure((kubeProxy) => (kubeProxy.mode = "daemonset"));
    await lab.operate("deploy");
    await eventually(async () => expect(await answers()).toEqual(ALL));
    const { items } = await lab.get<{ items: any[] }>(
      "pods",
      "-n",
      "kube-system",
      "-l",
      "app.kubernetes.io/name=kube-proxy",
    );
    expect(items.map(({ spec }) => spec.nodeName).sort()).toEqual(TWO);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("pods take over from units and units from pods, and Services go on", async () => {
    for (const mode of ["unit", "daemonset"]) {
      await configure((kubeProxy) => (kubeProxy.mode = mode));
      await lab.operate("deploy");
      expect(await answers()).toEqual(ALL);
      expect(await rules("worker-1")).not.toEqual([]);
    }
  });
});
