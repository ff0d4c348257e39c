import { hasSysResource } from "../../../lab/system/machine";
import { parseMounts } from "../../../lab/system/mounts";
import { hierarchiesOf } from "../../../lab/worker/cgroups";
import {
  renderCniConfig,
  renderContainerdConfig,
  renderHosts,
  renderMachineScript,
  renderPodsService,
} from "../../../lab/worker/files";
import { renderImage } from "../../../lab/worker/images";
import { enterCommand, isInit } from "../../../lab/worker/inside";

test("containerd's settings", () => {
  expect(renderContainerdConfig({ restrictOomScoreAdj: true })).toBe(`version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "lab.local/pause:1"
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
`);
});

test("the pods' network of a worker", () => {
  expect(JSON.parse(renderCniConfig("10.128.1.0/24"))).toEqual({
    cniVersion: "0.4.0",
    name: "lab",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: "10.128.1.0/24" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
});

test("pods keep their address among themselves only", () => {
  expect(renderPodsService("10.128.0.0/16")).toContain(
    "iptables -w -t nat -A POSTROUTING -s 10.128.0.0/16 ! -d 10.128.0.0/16 -j MASQUERADE'\n",
  );
});

test("a worker knows itself and the API server", () => {
  expect(renderHosts({ name: "worker-1", address: "10.89.0.11", apiServer: "10.89.0.1" })).toBe(`127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.89.0.11 worker-1
10.89.0.1 api-server
`);
});

test("the script that makes a container look like a machine", () => {
  expect(renderMachineScript()).toBe(`#!/bin/sh
# Mounts that a kubelet expects of a machine.
set -u
# Control groups of version 1 are read-only in a container; the kubelet makes some for the pods. (On version 2, no change.)
for hierarchy in /sys/fs/cgroup/*/; do
  mount -o remount,rw,bind "$hierarchy" 2>/dev/null || true
done
mount -o remount,rw,bind /proc/sys
# The host's swap is not the worker's.
mount --bind /usr/lib/lab/swaps /proc/swaps
# Volumes and network namespaces of pods must show up wherever this is mounted.
mount --make-rshared /
`);
});

test("an image archive's documents name each other by their digests", () => {
  const documents = renderImage({
    name: "lab.local/pause:1",
    architecture: "amd64",
    layer: { digest: "a".repeat(64), size: 10240 },
    command: ["/pause"],
  });
  const { "oci-layout": layout, "index.json": index, ...blobs } = documents;
  expect(layout).toBe('{"imageLayoutVersion":"1.0.0"}');
  const config = {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], Cmd: ["/pause"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] },
    history: [{ created_by: "tls-bootstrap lab" }],
  };
  const [descriptor] = (JSON.parse(index) as { manifests: Record<string, unknown>[] }).manifests;
  expect(descriptor.annotations).toEqual({
    "io.containerd.image.name": "lab.local/pause:1",
    "org.opencontainers.image.ref.name": "lab.local/pause:1",
  });
  const blob = (digest: unknown): unknown =>
    JSON.parse(blobs[`blobs/sha256/${String(digest).slice("sha256:".length)}`]);
  const manifest = blob(descriptor.digest) as { config: { digest: string }; layers: unknown[] };
  expect(manifest.layers).toEqual([
    { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${"a".repeat(64)}`, size: 10240 },
  ]);
  expect(blob(manifest.config.digest)).toEqual(config);
  expect(Object.keys(blobs)).toHaveLength(2);
});

describe("control groups", () => {
  const v1 = ["cpu", "memory", "systemd"].map((name) => ({
    path: `/sys/fs/cgroup/${name}`,
    type: "cgroup",
    options: "rw",
  }));
  const unified = { path: "/sys/fs/cgroup/unified", type: "cgroup2", options: "rw" };

  test("of version 2 have one hierarchy", () => {
    expect(hierarchiesOf([{ path: "/sys/fs/cgroup", type: "cgroup2", options: "rw" }])).toEqual({
      version: 2,
      roots: ["/sys/fs/cgroup"],
      processes: "/sys/fs/cgroup",
    });
  });

  test("of version 1, also beside version 2, have several, and systemd's own has all processes", () => {
    expect(hierarchiesOf([...v1, unified, { path: "/proc", type: "proc", options: "rw" }])).toEqual({
      version: 1,
      roots: ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"],
      processes: "/sys/fs/cgroup/systemd",
    });
  });

  test("without systemd's hierarchy are of no use", () => {
    expect(hierarchiesOf(v1.slice(0, 2))).toBeUndefined();
    expect(hierarchiesOf([])).toBeUndefined();
  });
});

test("mounts are read with their type and options, and their blanks", () => {
  const line = "36 35 98:0 / /mnt/with\\040blank rw,noatime master:1 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c";
  expect(parseMounts(`${line}\n\n`)).toEqual([
    { path: "/mnt/with blank", type: "overlay", options: "rw,lowerdir=/a:/b,upperdir=/c" },
  ]);
});

test.each([
  ["Name:\tsystemd\nNSpid:\t4242\t1\nThreads:\t1\n", true],
  ["Name:\tpause\nNSpid:\t4243\t77\t1\n", false],
  ["Name:\tkubelet\nNSpid:\t4244\t78\n", false],
  ["Name:\tsystemd-nspawn\nNSpid:\t4241\n", false],
  ["", false],
])("%j is the init of a worker: %s", (status, init) => {
  expect(isInit(status)).toBe(init);
});

test("a command enters every namespace of a worker, with an environment of its own", () => {
  expect(enterCommand(42, ["id", "-u"])).toEqual([
    "nsenter",
    [
      ...["--target", "42", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"],
      ...[
        "env",
        "-i",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "LANG=C.UTF-8",
      ],
      ...["id", "-u"],
    ],
  ]);
});

test.each([
  ["CapEff:\t000001ffffffffff\n", true],
  ["CapEff:\t000001fffeffffff\n", false],
  ["CapPrm:\t000001ffffffffff\n", false],
])("%j allows to lower OOM scores: %s", (status, allowed) => {
  expect(hasSysResource(status)).toBe(allowed);
});
