import { join } from "node:path";
import { Api } from "../api";
import { ProcessWatch } from "../processWatch";
import { findLeaks } from "../secretLeaks";
import { changes, eventually, TestLab } from "../testLab";
import { REPOSITORY } from "../../repository";

const lab = new TestLab();
const PROGRAM = join(REPOSITORY, "examples", "kube-proxy");

describe("the identity of kube-proxy", () => {
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

  it("has a token for the unit, which reads what kube-proxy watches and nothing else", async () => {
    const proxy = await api();
    const status = async (path: string) => [path, (await proxy.call("GET", path)).status];
    for (const path of WATCHED) expect(await status(path)).toEqual([path, 200]);
    for (const path of FORBIDDEN) expect(await status(path)).toEqual([path, 403]);
    expect(changes(await lab.operate("preview", ...at))).toEqual([]);
  });

  it("is a secret in the outputs", async () =>
    expect((await lab.json<{ kubeconfig: string }>("output", ...at)).kubeconfig).toBe("[secret]"));

  it("gives the ServiceAccount of the pods the same rights", async () => {
    const { serviceAccountName } = await lab.json<{ serviceAccountName: string }>("output", ...at);
    const user = `--as=system:serviceaccount:kube-system:${serviceAccountName}`;
    const can = async (what: string) =>
      (await lab.run("kubectl", "auth", "can-i", "list", what, "-A", user)).stdout.trim();
    for (const what of ["services", "nodes", "endpointslices.discovery.k8s.io"]) expect(await can(what)).toBe("yes");
    for (const what of ["secrets", "pods", "configmaps"]) expect(await can(what)).toBe("no");
  });

  it("ends with the Secret of the unit's token", async () => {
    const proxy = await api();
    await lab.kubectl("delete", "secret", "-n", "kube-system", "kube-proxy-unit-token");
    await eventually(async () => expect((await proxy.call("GET", "/api/v1/services")).status).toBe(401), 30);
  });
});

/** A pod serves on one worker, and clients are on the other. Each test builds on the tests before it. */
describe("kube-proxy", () => {
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

  /** The answers to a pod, to its node, and to the other node at the NodePort. */
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

  /** The rules of kube-proxy. The kubelet has other chains. */
  const rules = async (worker: string) =>
    (await lab.exec(worker, "iptables-save"))
      .split("\n")
      .filter((line) => /^-A KUBE-(SERVICES|SVC|SEP|NODEPORTS)/.test(line));

  /** What nftables has on a worker after a change from iptables: its table, and no chains of the other mode. The kubelet has chains too. */
  const NFTABLES = { tables: ["ip kube-proxy"], chains: [] };
  const found = async (worker: string) => {
    const lines = async (command: string) => (await lab.shell(worker, command)).split("\n").filter((line) => line);
    return {
      tables: await lines("nft list tables ip | sed -n 's/^table \\(.*kube-proxy\\)$/\\1/p'"),
      chains: await lines(
        "{ iptables-save; ip6tables-save; } | grep -o '^:KUBE-[^ ]*' | grep -v 'FIREWALL\\|KUBELET\\|HINT' || true",
      ),
    };
  };

  beforeAll(async () => {
    await lab.out("binaries", "kube-proxy");
    await configure((kubeProxy) => (kubeProxy.mode = "unit"));
  });

  afterAll(async () => {
    await lab.run("kubectl", "delete", "service,pod", "web", "client", "--ignore-not-found", "--wait=false");
    await lab.run("destroy");
    // The kubelet creates this folder for the pods of kube-proxy.
    for (const worker of TWO) await lab.shell(worker, "rmdir --ignore-fail-on-non-empty /usr/lib/modules || true");
  });

  let watch: ProcessWatch;
  it("as a unit: Services answer to a pod, to a node and at a NodePort", async () => {
    watch = new ProcessWatch();
    await lab.operate("deploy");
    await lab.apply(OBJECTS);
    await eventually(async () => expect(await answers()).toEqual(ALL), 90);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("has its token in one file on each host, and nowhere else", async () => {
    const file = "/etc/kubernetes/kube-proxy.conf";
    const kubeconfig = await lab.exec("worker-1", "cat", file);
    const token = /token: (\S+)/.exec(kubeconfig)![1];
    expect(token.length).toBeGreaterThan(100);
    expect(await findLeaks(lab, { token }, watch.stop(), (text) => text !== kubeconfig)).toEqual([]);
    // The brackets keep the token out of grep's own command line.
    const search = `grep -rl '[${token[0]}]${token.slice(1)}' /etc /var /run /root /home /tmp 2>/dev/null || true`;
    expect(await lab.shell("worker-1", search)).toBe(`${file}\n`);
  });

  it("serves metrics on loopback only, and only root can read its files", async () => {
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

  it("is restarted alone for a changed setting, which is one line in the preview of each worker", async () => {
    const pids = () => Promise.all([lab.unitPid("worker-1", "kubelet"), lab.unitPid("worker-1", "kube-proxy")]);
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

  it("rolls back a setting with which it does not start, and Services still answer", async () => {
    // Longer than syncPeriod, which is 30 s.
    await configure((kubeProxy) => (kubeProxy.config.iptables = { minSyncPeriod: "1h" }));
    const errors = await lab.fails("deploy");
    expect(errors).toContain("with the new files kube-proxy of worker-1 does not become healthy");
    expect(errors).toContain("must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod");
    await eventually(async () => expect(await answers()).toEqual(ALL));
    await configure((kubeProxy) => delete kubeProxy.config.iptables);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("checks before it changes to nftables what that needs", async () => {
    const told = await lab.shell(
      "worker-1",
      `mkdir /run/old; cd /run/old
       printf '#!/bin/sh\\n[ "$1" = -r ] && echo 5.10.0-28-amd64 || exec /usr/bin/uname "$@"\\n' >uname
       printf '#!/bin/sh\\necho "nftables v0.9.8 (E.D.S.)"\\n' >nft
       chmod +x uname nft
       sed "s/^TOOLS=.*/TOOLS='nft'/" /etc/tls-bootstrap/host.conf >host.conf
       PATH=/run/old:$PATH /opt/tls-bootstrap/scripts/preflight.sh host.conf 2>&1 || true
       rm -r /run/old`,
    );
    expect([...told.matchAll(/^ {2}- (.*)$/gm)].map(([, problem]) => problem)).toEqual([
      "Linux 5.10.0-28-amd64 is too old for kube-proxy with nftables: use 5.13 or newer, or set kubeProxy.config.mode: iptables",
      "nft 0.9.8 is too old for kube-proxy: install nftables 1.0.1 or newer, or set kubeProxy.config.mode: iptables",
    ]);
  });

  it("changes to nftables, and leaves no chains of iptables", async () => {
    expect((await found("worker-1")).chains).toContain(":KUBE-SERVICES");
    await configure((kubeProxy) => (kubeProxy.config.mode = "nftables"));
    await lab.operate("deploy");
    await eventually(async () => expect(await answers()).toEqual(ALL));
    for (const worker of TWO) expect(await found(worker)).toEqual(NFTABLES);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("changes back to iptables, and leaves no table of nftables", async () => {
    await configure((kubeProxy) => delete kubeProxy.config.mode);
    await lab.operate("deploy");
    await eventually(async () => expect(await answers()).toEqual(ALL));
    expect(await rules("worker-1")).not.toEqual([]);
    for (const worker of TWO) expect((await found(worker)).tables).toEqual([]);
  });

  it("gets a new credential in place of a revoked one", async () => {
    await lab.kubectl("delete", "secret", "-n", "kube-system", "tls-bootstrap-lab-kube-proxy-token");
    const { steps } = await lab.operate("deploy", "--refresh");
    const replaced = steps.filter(({ op, name }) => op === "update" && name.endsWith("-kube-proxy"));
    expect(replaced.map(({ name }) => name).sort()).toEqual(TWO.map((worker) => command(worker, "kube-proxy")));
    expect(await answers()).toEqual(ALL);
  });

  it("leaves no rules, files or unit when it is turned off, and no node is drained", async () => {
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
      expect(await lab.unitPid(worker, "kube-proxy")).toBe("0");
    }
  });

  it("as pods: Services answer to a pod, to a node and at a NodePort", async () => {
    await lab.out("images", "kube-proxy");
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

  it("can move between pods and units, and Services still answer", async () => {
    for (const mode of ["unit", "daemonset"]) {
      await configure((kubeProxy) => (kubeProxy.mode = mode));
      await lab.operate("deploy");
      expect(await answers()).toEqual(ALL);
      expect(await rules("worker-1")).not.toEqual([]);
    }
  });

  it("changes to nftables as pods too", async () => {
    await configure((kubeProxy) => (kubeProxy.config.mode = "nftables"));
    await lab.operate("deploy");
    await eventually(async () => expect(await answers()).toEqual(ALL));
    for (const worker of TWO) expect(await found(worker)).toEqual(NFTABLES);
  });
});
