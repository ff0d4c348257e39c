import { renderOutputs, renderReceipts, renderStatus } from "../../../lab/cli/render";
import { parseNodes, type Status } from "../../../lab/cli/status";

const node = (name: string, ready: string): object => ({
  metadata: { name, labels: { "node-role.kubernetes.io/worker": "", zone: "lab" } },
  spec: { taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule", timeAdded: "2026-01-01T00:00:00Z" }] },
  status: { conditions: [{ type: "Ready", status: ready }], nodeInfo: { kubeletVersion: "v1.34.4" } },
});

test("nodes are read from kubectl's JSON", () => {
  const json = JSON.stringify({
    items: [node("worker-1", "True"), node("worker-2", "Unknown"), { metadata: { name: "worker-3" } }],
  });
  const known = {
    labels: { "node-role.kubernetes.io/worker": "", zone: "lab" },
    taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }],
    kubeletVersion: "v1.34.4",
  };
  expect(parseNodes(json)).toEqual([
    { name: "worker-1", ready: true, ...known },
    { name: "worker-2", ready: false, ...known },
    { name: "worker-3", ready: false, labels: {}, taints: [], kubeletVersion: "" },
  ]);
});

const status: Status = {
  name: "default",
  kubernetesVersion: "1.34.4",
  cli: "pulumi v3.248.0 built from source",
  plugins: "plugins: stand-in",
  configFile: "/l/Pulumi.lab.yaml",
  platformConfigFile: "/l/Pulumi.platform.yaml",
  stateDir: "/l",
  passphraseFile: "/l/passphrase",
  apiServer: "https://10.89.0.1:6443",
  mirror: "http://10.89.0.1:8080",
  mirrorDir: "/l/mirror",
  kubeconfig: "/l/kubeconfig",
  kubectl: "/c/kubectl",
  ssh: { user: "admin", privateKeyFile: "/l/ssh/id_ed25519", knownHostsFile: "/l/ssh/known_hosts" },
  flags: {},
  workers: [
    { name: "worker-1", address: "10.89.0.11", running: true, leaderPid: 7, rootfs: "/r1" },
    { name: "worker-2", address: "10.89.0.12", running: false, leaderPid: null, rootfs: "/r2" },
  ],
  controllers: [{ name: "controller-1", address: "10.89.0.241", hostKey: "ssh-ed25519 AAAA", running: true }],
  components: [
    { name: "etcd", pid: 5, running: true },
    { name: "kube-apiserver", pid: null, running: false },
  ],
  nodes: parseNodes(JSON.stringify({ items: [node("worker-1", "True"), node("gone", "Unknown")] })),
};

test("renders the status as tables", () => {
  expect(renderStatus(status)).toBe(`Lab "default": Kubernetes 1.34.4 at https://10.89.0.1:6443
pulumi v3.248.0 built from source; plugins: stand-in

COMPONENT        STATE
etcd             pid 5
kube-apiserver   stopped

WORKER     ADDRESS      MACHINE      NODE         KUBELET   ROLES, TAINTS
worker-1   10.89.0.11   running      Ready        v1.34.4   worker, dedicated=batch:NoSchedule
worker-2   10.89.0.12   stopped      not joined   -         -
gone       -            no machine   NotReady     v1.34.4   worker, dedicated=batch:NoSchedule

CONTROLLER     ADDRESS       MACHINE
controller-1   10.89.0.241   running`);
});

test("shows nodes as unknown without an API server", () => {
  expect(renderStatus({ ...status, workers: status.workers.slice(0, 1), nodes: null })).toContain(
    "worker-1   10.89.0.11   running   unknown   -         -",
  );
});

test("renders receipts as a table, with a dash for a missing value", () => {
  const receipts = {
    "worker-1": {
      kubeletVersion: "v1.34.4",
      certificate: { subject: "CN=system:node:worker-1", issuer: "CN=ca", notAfter: "2026-11-23T00:00:00Z" },
      ms: { token: 1, certificate: 20, ready: 300, total: 321 },
    },
    "worker-2": null,
  };
  expect(renderReceipts(receipts)).toBe(
    [
      "NODE       KUBELET   CERTIFICATE OF            SIGNED BY   EXPIRES                TOKEN ms   CERTIFICATE ms   READY ms   TOTAL ms",
      "worker-1   v1.34.4   CN=system:node:worker-1   CN=ca       2026-11-23T00:00:00Z   1          20               300        321",
      "worker-2   -         -                         -           -                      -          -                -          -",
    ].join("\n"),
  );
});

test("renders outputs one below the other", () => {
  expect(renderOutputs({ apiServer: "https://s", info: "a\nb\n", tokens: { worker: { id: "x" } } }))
    .toBe(`apiServer: https://s
info:
  a
  b
tokens:
  {
    "worker": {
      "id": "x"
    }
  }`);
});
