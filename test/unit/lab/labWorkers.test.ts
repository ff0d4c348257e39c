import { parseMounts } from "../../../lab/host/mounts";
import { hierarchiesOf } from "../../../lab/workers/cgroups";
import { renderCniConfig, renderHosts, renderPodsService } from "../../../lab/workers/workerFiles";
import { enterCommand, isWorkerInit } from "../../../lab/workers/workerNamespaces";

test("a worker's CNI config has its pod subnet", () => {
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

test("the pods' addresses are masqueraded outside of the pods' network", () => {
  expect(renderPodsService("10.128.0.0/16", "multi-user.target")).toContain(
    "iptables -w -t nat -A POSTROUTING -s 10.128.0.0/16 ! -d 10.128.0.0/16 -j MASQUERADE'\n",
  );
});

test("a worker's /etc/hosts has the worker and the API server", () => {
  expect(renderHosts({ name: "worker-1", address: "10.89.0.11", apiServer: "10.89.0.1" })).toBe(`127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.89.0.11 worker-1
10.89.0.1 api-server
`);
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

  test("without systemd's hierarchy are unusable", () => {
    expect(hierarchiesOf(v1.slice(0, 2))).toBeUndefined();
    expect(hierarchiesOf([])).toBeUndefined();
  });
});

test("mounts are read with type, options and blanks in their paths", () => {
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
  expect(isWorkerInit(status)).toBe(init);
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
