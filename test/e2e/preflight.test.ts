import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { at, lab, problems, report, settingsFile, SWAP_OFF, swapOn } from "./preflightReport";
import { changes, eventually } from "./testLab";

/** What a host that cannot become a worker reports, and that it does not change. */

/** How swap is turned on at boot: by units of systemd, and by a service. */
const swapUnits = () => lab.shell("worker-1", "systemctl is-enabled swap.target zramswap.service || true");

beforeAll(() => lab.shell("worker-1", "touch /root/before"));

afterAll(async () => {
  await lab.run("destroy");
  await lab.shell(
    "worker-1",
    "rm -f /root/before /run/swaps; cd /etc/systemd/system; systemctl disable --quiet --now zramswap.service dev-vdb.swap; rm -f zramswap.service dev-vdb.swap; systemctl daemon-reload",
  );
});

it("reports all problems at once: systemd, architecture, SELinux, port, disk, swap, address, runtime, another's files, clock", async () => {
  const file = await settingsFile("preflight", (worker) => {
    worker.nodeAddress = "192.0.2.1";
  });
  const found = await report(
    `mkdir -p /etc/kubernetes /opt/kubernetes && touch /etc/kubernetes/kubelet.conf
     systemctl stop containerd
     systemd-run --quiet --unit busy --property Type=exec systemd-socket-activate -l 10250 true
     mount -t tmpfs -o size=8m,noexec tmpfs /opt/kubernetes
     printf '#!/bin/sh\\necho mips\\n' >/usr/local/bin/uname
     printf '#!/bin/sh\\n[ "$*" = --version ] || exec /usr/bin/systemctl "$@"\\necho "systemd 245 (245.4-4ubuntu3)"\\n' >/usr/local/bin/systemctl
     printf '#!/bin/sh\\necho Enforcing\\n' >/usr/local/bin/getenforce
     printf '#!/bin/sh\\ncase "$*" in "-f - +%%s") sed "s/^now$/400 seconds ago/" | /usr/bin/date -f - +%%s ;; *) exec /usr/bin/date "$@" ;; esac\\n' >/usr/local/bin/date
     chmod +x /usr/local/bin/uname /usr/local/bin/date /usr/local/bin/systemctl /usr/local/bin/getenforce
     mv /etc/machine-id /etc/machine-id.away
     mv /run/systemd/system /run/systemd/system.away
     ${swapOn(0)}`,
    `${SWAP_OFF}; mv /run/systemd/system.away /run/systemd/system
     mv /etc/machine-id.away /etc/machine-id
     rm -f /usr/local/bin/uname /usr/local/bin/date /usr/local/bin/systemctl /usr/local/bin/getenforce
     umount /opt/kubernetes; rm -rf /etc/kubernetes /opt/kubernetes
     systemctl stop busy; systemctl start containerd`,
    file,
  );
  expect(found).toEqual([
    "this host does not run systemd, which starts the kubelet: use an image with systemd",
    "systemd 245 is too old: use an image with systemd 246 or newer",
    "architecture mips is not supported: use a host with x86_64 or aarch64",
    "/etc/machine-id is not set: run systemd-machine-id-setup",
    "SELinux is enforced and 'restorecon' is missing: install policycoreutils",
    expect.stringMatching(/^only \d MiB are free for \/opt\/kubernetes: make room for at least 512 MiB$/),
    expect.stringContaining("/opt/kubernetes would be on a file system that is mounted noexec"),
    expect.stringMatching(/^port 10250, which the node needs, is in use by systemd-socket.* \(process \d+\): stop it/),
    expect.stringContaining(
      "/etc/kubernetes/kubelet.conf exists: this host is, or was, a node of another installation",
    ),
    "address 192.0.2.1 is on no interface of this host: set the worker's nodeAddress",
    expect.stringContaining("no containerd answers on /run/containerd/containerd.sock"),
    expect.stringMatching(/^this host's clock is -(39|40)\d s off the API server's, more than 120 s: /),
    "no action is needed: step host turns swap off (/dev/zram0), now and after a reboot; kubelet.failSwapOn: false keeps it",
  ]);
});

it("reports that a host has IPv6 only, and swap that does not fit into memory", async () => {
  const { address } = (await lab.status()).workers[0];
  const { hostname: gateway, origin } = new URL((await lab.facts()).apiServer);
  const onMachine = (command: string) => execFileSync("sh", ["-c", command], { encoding: "utf8" });
  const deviceOf = (lines: string) => lines.split(/\s+/)[1];
  const inWorker = deviceOf(await lab.shell("worker-1", `ip -o address show to ${address}`));
  const bridge = deviceOf(onMachine(`ip -o address show to ${gateway}`));
  const file = await settingsFile("ipv6-only", (worker) => {
    worker.address = "fd00:5::1";
  });
  onMachine(`echo 0 >/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6; ip address add fd00:5::ff/64 dev ${bridge} nodad`);
  try {
    const found = await report(
      `echo 0 >/proc/sys/net/ipv6/conf/${inWorker}/disable_ipv6; ip address add fd00:5::1/64 dev ${inWorker} nodad
       ip -4 route show >/run/routes; ip -4 address flush dev ${inWorker}
       ip link add pods type bridge; ip address add 10.99.0.1/24 dev pods; ip link set pods up
       ${swapOn(2 ** 40)}`,
      `${SWAP_OFF}
       ip link del pods; ip address del fd00:5::1/64 dev ${inWorker}; ip address add ${address}/24 dev ${inWorker}
       while read -r route; do ip route replace $route; done </run/routes; rm /run/routes`,
      file,
    );
    expect(found).toEqual([
      expect.stringMatching(
        /^swap is on \(\/dev\/zram0\), and its 1073741824 MiB do not fit into the \d+ MiB of memory that are/,
      ),
      expect.stringMatching(
        `^the API server at ${origin} cannot be reached from this host \\(.*\\), which has no IPv4 route to it: set cluster.server to`,
      ),
    ]);
  } finally {
    onMachine(`ip address del fd00:5::ff/64 dev ${bridge}`);
  }
});

it("reports a user without sudo, and other problems that need no root", async () => {
  const file = await settingsFile("sudo", (worker) => {
    worker.nodeAddress = "192.0.2.1";
  });
  const [user, ...others] = await report(
    "chmod a-s /usr/bin/sudo; mv /etc/sudoers.d /etc/sudoers.d.away",
    "chmod u+s /usr/bin/sudo; mv /etc/sudoers.d.away /etc/sudoers.d",
    file,
  );
  expect(user).toMatch(/^user admin is not root and cannot run commands with 'sudo -n' \(.*sudo.*\): allow it/);
  expect(others).toEqual(["address 192.0.2.1 is on no interface of this host: set the worker's nodeAddress"]);
});

it("reports a read-only file system, cgroup v1 that the kubelet refuses, and an unreachable API server", async () => {
  const file = await settingsFile("read-only", (worker) => {
    worker.kubelet = { failCgroupV1: true };
  });
  const { hostname, port } = new URL((await lab.facts()).apiServer);
  const rule = `OUTPUT -p tcp -d ${hostname} --dport ${port} -j REJECT --reject-with tcp-reset`;
  const problems = await report(
    `mkdir -p /opt/kubernetes && mount -t tmpfs -o ro tmpfs /opt/kubernetes; iptables -I ${rule}`,
    `umount /opt/kubernetes; rmdir /opt/kubernetes; iptables -D ${rule}`,
    file,
  );
  const isV1 = (await lab.shell("worker-1", "stat -fc %T /sys/fs/cgroup")).trim() !== "cgroup2fs";
  expect(problems).toEqual([
    ...(isV1 ? [expect.stringContaining("this host has cgroup v1, which this kubelet refuses")] : []),
    "/opt/kubernetes cannot be written: make its file system writable",
    expect.stringMatching(
      `^the API server at https://${hostname}:${port} cannot be reached from this host \\(curl: .*\\)`,
    ),
  ]);
});

describe("a containerd that belongs to Docker", () => {
  beforeAll(() =>
    lab.shell(
      "worker-1",
      "cp /etc/containerd/config.toml /root/config.toml; sed -i '1a disabled_plugins = [\"io.containerd.grpc.v1.cri\"]' /etc/containerd/config.toml; systemctl restart containerd",
    ),
  );

  afterAll(() =>
    lab.shell(
      "worker-1",
      "rm -f /etc/systemd/system/docker.service; mv /root/config.toml /etc/containerd/config.toml; systemctl daemon-reload; systemctl restart containerd",
    ),
  );

  const refusal = async (runtime: object): Promise<string> => {
    const file = await settingsFile("docker", (_, pool) => {
      pool.runtime = runtime;
    });
    return lab.fails("deploy", ...at(file));
  };

  it("with a disabled CRI plugin is reported as such", async () => {
    expect(await refusal({ type: "preinstalled" })).toContain(
      "containerd runs, but its CRI plugin is disabled: take it out of disabled_plugins",
    );
  });

  it("is neither replaced nor configured", async () => {
    await lab.shell(
      "worker-1",
      "printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/docker.service; systemctl daemon-reload",
    );
    const [config, containerd] = [
      await lab.exec("worker-1", "cat", "/etc/containerd/config.toml"),
      await lab.unitPid("worker-1", "containerd"),
    ];
    for (const runtime of [{ type: "package" }, { type: "tarball" }, { type: "preinstalled", containerd: {} }])
      expect(await refusal(runtime)).toContain(
        "a Docker engine is on this host, and its containerd must not be changed under it",
      );
    expect(await lab.exec("worker-1", "cat", "/etc/containerd/config.toml")).toBe(config);
    expect(await lab.unitPid("worker-1", "containerd")).toBe(containerd);
  });
});

it("prepares the repaired host, turns swap off permanently, and leaves a Docker engine alone with a note", async () => {
  // A process with the name of the engine is enough.
  await lab.shell(
    "worker-1",
    "cp /usr/bin/sleep /usr/local/bin/dockerd; systemd-run --quiet --unit docker-engine /usr/local/bin/dockerd 3600",
  );
  // Fake swap that can be turned off, since the machine of the lab keeps its own.
  await lab.shell(
    "worker-1",
    `${swapOn(0)}
     printf '#!/bin/sh\n[ "$*" = -a ] && cat /run/swaps >/proc/swaps\n' >/usr/local/sbin/swapoff; chmod +x /usr/local/sbin/swapoff
     printf '[Swap]\nWhat=/dev/vdb\n[Install]\nWantedBy=swap.target\n' >/etc/systemd/system/dev-vdb.swap
     printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=touch /run/zramswap\nExecStop=rm -f /run/zramswap\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/zramswap.service
     systemctl enable --quiet --now zramswap.service; systemctl enable --quiet dev-vdb.swap`,
  );
  const file = await settingsFile("mended");
  await lab.operate("deploy", ...at(file));
  expect(await lab.shell("worker-1", "cat /proc/swaps; rm /usr/local/sbin/swapoff")).toBe(
    await lab.shell("worker-1", "cat /run/swaps"),
  );
  expect(await swapUnits()).toBe("masked\ndisabled\n");
  expect(await lab.shell("worker-1", "ls /run/zramswap 2>/dev/null || true")).toBe("");
  expect(changes(await lab.operate("preview", ...at(file)))).toEqual([]);
  const { receipts } = await lab.json<any>("output", ...at(file));
  expect(receipts["worker-1"].notes).toEqual([
    expect.stringContaining("step host turns swap off (/dev/zram0)"),
    expect.stringContaining("a Docker engine (dockerd) runs beside"),
  ]);
  expect(await lab.shell("worker-1", "systemctl is-active docker-engine")).toBe("active\n");
  await lab.shell("worker-1", "systemctl stop docker-engine; rm /usr/local/bin/dockerd");
});

it("refuses a node of another stack, which goes on as it was", async () => {
  const stolen = await settingsFile("stolen", (worker) => {
    worker.name = "worker-9";
  });
  const pid = await lab.kubeletPid("worker-1");
  const errors = await lab.fails("deploy", ...at(stolen), "--stack", "other");
  expect(problems(errors)).toEqual([
    expect.stringMatching(
      /^this host is node worker-1 of another stack \(urn:pulumi:lab::\S+\): remove it from that stack first, or correct the address of worker-9$/,
    ),
  ]);
  await lab.operate("destroy", ...at(stolen), "--stack", "other");
  expect(await lab.kubeletPid("worker-1")).toBe(pid);
  const file = await settingsFile("mended");
  await lab.operate("deploy", ...at(file));
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([["worker-1", true]]);
});

it("refuses the second of two workers with the same machine-id, and accepts it with another one", async () => {
  const id = (worker: string) => lab.shell(worker, "cat /etc/machine-id");
  const file = await lab.configFile("copies", (settings) => {
    settings["tls-bootstrap:pools"][0].workers.splice(2);
    return settings;
  });
  const [first, second] = [await id("worker-1"), await id("worker-2")];
  await lab.shell("worker-2", `echo ${first.trim()} >/etc/machine-id`);
  try {
    const errors = await lab.fails("deploy", ...at(file));
    expect(errors).toContain("worker-2 has the same machine-id as worker-1: one image, copied after its first boot");
    expect(errors).not.toContain(first.trim());
    expect(await lab.shell("worker-2", "systemctl show -P ExecMainStartTimestamp kubelet; ls /etc/kubernetes")).toBe(
      "\npki\n",
    );
  } finally {
    await lab.shell("worker-2", `echo ${second.trim()} >/etc/machine-id`);
  }
  await lab.operate("deploy", ...at(file));
  expect((await lab.status()).nodes?.map(({ name, ready }) => [name, ready])).toEqual([
    ["worker-1", true],
    ["worker-2", true],
  ]);
  expect(changes(await lab.operate("preview", ...at(file)))).toEqual([]);
});

it("a node registers an IPv4 and an IPv6 address, which may have any notation", async () => {
  const { address } = (await lab.status()).workers[0];
  const [file, wrong] = await Promise.all(
    ["FD00:5:0:0::0001", "fd00:5::2"].map((ipv6, i) =>
      settingsFile(`dual-stack-${i}`, (worker) => {
        worker.nodeAddress = `${address},${ipv6}`;
      }),
    ),
  );
  const device = (await lab.shell("worker-1", `ip -o address show to ${address} | awk '{ print $2 }'`)).trim();
  await lab.shell(
    "worker-1",
    `sysctl -qw net.ipv6.conf.${device}.disable_ipv6=0; ip address add fd00:5::1/64 dev ${device} nodad`,
  );
  expect(problems(await lab.fails("deploy", ...at(wrong)))).toEqual([
    "address fd00:5::2 is on no interface of this host: set the worker's nodeAddress",
  ]);
  await lab.operate("deploy", ...at(file));
  await eventually(async () => {
    const { addresses } = (await lab.get<any>("node", "worker-1")).status;
    const internal = addresses.filter(({ type }: { type: string }) => type === "InternalIP");
    expect(internal.map((entry: { address: string }) => entry.address)).toEqual([address, "fd00:5::1"]);
  });
  const certificate = await lab.exec("worker-1", "cat", "/etc/kubernetes/pki/kubelet-serving.crt");
  expect(new X509Certificate(certificate).subjectAltName).toBe(
    `DNS:worker-1, IP Address:${address}, IP Address:FD00:5:0:0:0:0:0:1`,
  );
  expect(changes(await lab.operate("preview", ...at(file)))).toEqual([]);
  await lab.operate("deploy", ...at(await settingsFile("mended")));
  await lab.shell("worker-1", `ip address del fd00:5::1/64 dev ${device}`);
});

it("a removal gives the host its swap back for the next boot", async () => {
  await lab.operate("destroy", ...at(await settingsFile("mended")));
  expect(await swapUnits()).toBe("static\nenabled\n");
});
