import { differencesOf, type Snapshot } from "../../e2e/labSnapshot";

const before: Snapshot = {
  etcd: "running",
  "Namespace default": "",
  "worker-1: machine": "running",
  "worker-1: /etc/hosts": "644 abc",
  "worker-1: process containerd": "",
};

it.each<[string, Snapshot, string[]]>([
  ["nothing has changed", {}, []],
  ["a component is stopped", { etcd: "stopped" }, ["etcd was running, and is stopped"]],
  ["an object is left", { "ConfigMap default/x": "" }, ["ConfigMap default/x is left"]],
  ["a process is gone", { "worker-1: process containerd": undefined! }, ["worker-1: process containerd is gone"]],
  [
    "a folder is left: its content is not listed",
    { "worker-1: /etc/kubernetes": "folder", "worker-1: /etc/kubernetes/pki": "folder", "worker-1: /etc/x": "644 a" },
    ["worker-1: /etc/kubernetes is left", "worker-1: /etc/x is left"],
  ],
  [
    "a machine is stopped: the rest of it is not listed",
    { "worker-1: machine": "stopped", "worker-1: /etc/hosts": undefined! },
    ["worker-1: machine was running, and is stopped"],
  ],
])("%s", (_, change, differences) => expect(differencesOf(before, { ...before, ...change })).toEqual(differences));
