import { kubeletReport } from "./kubeletReport";

const report = (kubeletFlags: object, version = "1.34.4") => kubeletReport(version, { pools: [{ kubeletFlags }] });
const at = (name: string) =>
  /^\w+$/.test(name) ? `pools[0].kubeletFlags.${name}` : `pools[0].kubeletFlags["${name}"]`;

it.each<[string, unknown, string]>([
  ["max-pods", 50, "is a field of KubeletConfiguration: set kubelet.maxPods"],
  ["v", 4, "is a field of KubeletConfiguration: set kubelet.logging.verbosity"],
  ["anonymous-auth", true, "is a field of KubeletConfiguration: set kubelet.authentication.anonymous.enabled"],
  ["seccomp-default", true, "is a field of KubeletConfiguration: set kubelet.seccompDefault"],
  ["feature-gates", "A=true", "is a field of KubeletConfiguration: set kubelet.featureGates"],
  ["node-ip", "10.0.0.1", "cannot be used: this module sets it from 'nodeAddress'"],
  ["hostname-override", "x", "cannot be used: this module sets it from the worker's name"],
  ["config", "/x", "cannot be used: this module sets it from 'kubelet'"],
  ["config-dir", "/x", "cannot be used: its files would override settings that this module guarantees; use 'kubelet'"],
  [
    "node-labels",
    "a=b",
    "cannot be used: the kubelet sets them only on a Node that it creates, and this module creates the Node first; use 'labels'",
  ],
  [
    "root-dir",
    "/data",
    "cannot be used: a removed worker would keep its keys and volumes, because the removal cleans /var/lib/kubelet only",
  ],
  ["network-plugin", "cni", "was removed in Kubernetes 1.24"],
  ["container-runtime", "remote", "was removed in Kubernetes 1.27"],
  ["cloud-config", "/x", "was removed in Kubernetes 1.34; these kubelets are 1.34"],
  ["register-schedulable", true, "was removed in Kubernetes 1.34; these kubelets are 1.34"],
  ["cloud-providr", "external", "is not a flag of the kubelet; did you mean cloud-provider?"],
  ["--cloud-provider", "external", "is not a flag of the kubelet; did you mean cloud-provider?"],
  ["constructor", "x", "is not a flag of the kubelet"],
  ["cloud-provider", "aws", "'aws' must be external"],
  ["housekeeping-interval", 10, "'10' must be a duration such as 30s"],
  ["image-credential-provider-config", "x.yaml", "'x.yaml' must be an absolute path"],
  ["runtime-cgroups", ["/a"], "must be text, a number, true or false"],
  ["runtime-cgroups", "/a\nExecStartPost=/bin/sh", "'/a\nExecStartPost=/bin/sh' must be one line of text"],
])("refuses --%s=%j", (name, value, expected) =>
  expect(report({ [name]: value })).toEqual([`${at(name)}: ${expected}`]),
);

it.each([
  ["1.33.4", { "cloud-config": "/x", "cloud-provider": "external" }],
  ["1.34.4", { "pod-infra-container-image": "pause:3.10" }],
  ["1.35.0", { "runtime-cgroups": "/system.slice/containerd.service", "housekeeping-interval": "30s" }],
  ["1.35.0", { "image-credential-provider-config": "/etc/p.yaml", "image-credential-provider-bin-dir": "/opt/p" }],
])("Kubernetes %s: accepts %j", (version, flags) => expect(report(flags, version)).toEqual([]));

it("refuses --pod-infra-container-image from Kubernetes 1.35 on", () =>
  expect(report({ "pod-infra-container-image": "pause:3.10" }, "1.35.0")).toEqual([
    `${at("pod-infra-container-image")}: was removed in Kubernetes 1.35; these kubelets are 1.35`,
  ]));
