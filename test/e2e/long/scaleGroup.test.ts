import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { parse, stringify } from "yaml";
import { parseIgnition } from "../../ignition/parseIgnition";
import { CA } from "../../unit/fixtures";
import { makeRequests } from "../../requests/goRequests";
import { Api, destroyWithTokens, SERVING_SIGNER } from "../api";
import { BRING_UP_MS, hostOf } from "../bareWorkers";
import { podOn } from "../pods";
import { changes, eventually, TestLab } from "../testLab";

/**
 * Machines that boot with Debian's cloud-init and the user data of a stack. Nobody can log in to them by SSH. Each test builds on the tests before
 * it.
 */
const lab = new TestLab();
const WORKER = "worker-5";
/** The machines of the group, by the names of their nodes. */
const MACHINES = { "burst-1": "worker-6", "burst-2": "worker-7", "burst-3": "worker-8" } as const;
const NODES = Object.keys(MACHINES) as (keyof typeof MACHINES)[];
const TAINTS = [{ key: "burst", value: "yes", effect: "NoSchedule" }];

/** The scripts in the mirror. */
const BUNDLE = "tls-bootstrap-scripts";

const each = <T>(of: (node: keyof typeof MACHINES) => Promise<T>): Promise<T[]> => Promise.all(NODES.map(of));

const outputs = () => lab.json<any>("output", "--show-secrets");
const tokenIn = (userData: string): string => /token: (\S+)/.exec(userData)![1];

/** cloud-init, which finds its user data in a folder. It leaves alone what the lab has set up. */
const INSTALL_CLOUD_INIT = `
set -e
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install cloud-init >/dev/null
cat >/etc/cloud/cloud.cfg.d/99-lab.cfg <<'END'
datasource_list: [NoCloud, None]
network: {config: disabled}
ssh_deletekeys: false
apt: {preserve_sources_list: true}
END
# sshd runs, and nobody reaches it.
echo 'ListenAddress 127.0.0.1' >/etc/ssh/sshd_config.d/closed.conf
`;

let boots = 0;

/** Boots a machine as a new instance with this user data. */
async function boot(node: keyof typeof MACHINES, userData: string): Promise<void> {
  const worker = MACHINES[node];
  const seed = "/var/lib/cloud/seed/nocloud";
  const metadata = `instance-id: i-${++boots}\nlocal-hostname: ${node}\n`;
  // In parts: an argument has 128 KiB at most.
  await lab.shell(worker, `mkdir -p ${seed}; printf '%s' '${metadata}' >${seed}/meta-data; : >${seed}/user-data`);
  for (const part of userData.match(/[\s\S]{1,50000}/g)!)
    await lab.shell(
      worker,
      `cat >>${seed}/user-data <<'END-OF-PART'\n${part}\nEND-OF-PART\ntruncate -s -1 ${seed}/user-data`,
    );
  await reboot(worker);
}

async function reboot(worker: string): Promise<void> {
  const bootId = () => lab.shell(worker, "cat /proc/1/stat | cut -d ' ' -f 22");
  const before = await bootId();
  await lab.shell(worker, "systemctl --no-block reboot");
  await eventually(async () => expect(await bootId()).not.toBe(before), 60);
}

/** What the unit of a machine has written to the console since it booted. */
const consoleOf = (node: keyof typeof MACHINES): Promise<string> =>
  lab.shell(MACHINES[node], "journalctl -b -o cat --no-pager -u tls-bootstrap-boot");

/** The user data with another text of one file. */
function tampered(userData: string, path: string, change: (text: string) => string): string {
  const config = parse(userData) as { write_files: { path: string; content: string }[] };
  const file = config.write_files.find((entry) => entry.path === path)!;
  const text = gunzipSync(Buffer.from(file.content, "base64")).toString();
  file.content = gzipSync(change(text)).toString("base64");
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}

let early: string;

beforeAll(async () => {
  await lab.out("up", "--workers", "8", "--bare", "4");
  const installed = each((node) => lab.shell(MACHINES[node], INSTALL_CLOUD_INIT));
  await lab.configure((settings) => {
    const oom = { restrict_oom_score_adj: true };
    const runtime = {
      type: "package",
      containerd: {
        sandboxImage: "lab.local/pause:1",
        config: { plugins: { "io.containerd.grpc.v1.cri": oom, "io.containerd.cri.v1.runtime": oom } },
      },
    };
    const [{ workers, ...pool }] = settings["tls-bootstrap:pools"];
    const kubelet = { ...pool.kubelet, maxPods: 42 };
    const only = workers.filter(({ name }: { name: string }) => name === WORKER);
    settings["tls-bootstrap:servingCertificates"] = { mode: "manual" };
    settings["tls-bootstrap:pools"] = [{ ...pool, runtime, kubelet, workers: only }];
    settings["tls-bootstrap:scaleGroups"] = [
      {
        ...{ name: "burst", namePrefix: "burst-", tokenTtl: "72h", userData: {}, shutdownSeconds: 20 },
        ...{ runtime, kubelet, labels: { "example.com/disk": "ssd" }, taints: TAINTS, addresses: ["10.80.0.0/12"] },
      },
    ];
  });
  await lab.operate("deploy");
  await installed;
  early = (await outputs()).userData.burst;
}, BRING_UP_MS);

afterAll(async () => {
  await lab.run("kubectl", "delete", "pod", "--all", "--now");
  await lab.run("kubectl", "delete", "node", "--ignore-not-found", ...NODES);
  await destroyWithTokens(lab);
  await rm(join((await lab.facts()).mirrorDir, BUNDLE), { force: true });
  await lab.run("kubectl", "delete", "csr", "--all"); // nobody approves the serving certificates
  await lab.out("up", "--workers", "4", "--bare", "0");
});

it("states the size, refuses what does not fit, and costs no resource for a machine", async () => {
  const { userDataBytes } = (await outputs()).scaleGroups.burst;
  expect(userDataBytes).toBe(Buffer.byteLength(early));
  const small = await lab.configFile("small", (settings) => {
    settings["tls-bootstrap:scaleGroups"][0].userData = { limit: "ec2" };
    return settings;
  });
  expect(await lab.fails("preview", "--config-file", small)).toContain(
    `of scale group burst: has ${userDataBytes} bytes, more than the 16384 of userData.limit`,
  );
});

it("gives Ignition a config that its own parser accepts, with the files of cloud-init", async () => {
  const file = await lab.configFile("ignition", (settings) => {
    settings["tls-bootstrap:scaleGroups"][0].userData = { format: "ignition" };
    return settings;
  });
  expect(changes(await lab.operate("deploy", "--config-file", file))).toEqual([]);
  const folder = await mkdtemp(join(tmpdir(), "ignition-"));
  try {
    parseIgnition((await outputs()).userData.burst, folder);
    const { write_files } = parse(early) as { write_files: { path: string; encoding?: string; content: string }[] };
    for (const { path, encoding, content } of write_files) {
      const text = encoding ? gunzipSync(Buffer.from(content, "base64")).toString() : content;
      expect([path, await readFile(join(folder, path), "utf8")]).toEqual([path, text]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("does not start a kubelet with user data that was changed, and says why on the console", async () => {
  const unknownToken = early.replace(tokenIn(early), "aaaaaa.0123456789abcdef");
  await Promise.all([
    boot(
      "burst-1",
      tampered(early, "/opt/tls-bootstrap/bundle", (text) => text.replace("set -eu", "set -u")),
    ),
    boot(
      "burst-2",
      tampered(early, "/etc/tls-bootstrap/boot/kubelet", (text) =>
        text.replace(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n/, CA),
      ),
    ),
    boot("burst-3", unknownToken),
  ]);
  const says = (node: keyof typeof MACHINES, text: string) =>
    eventually(async () => expect(await consoleOf(node)).toContain(text), 180);
  await Promise.all([
    says("burst-1", "the bundle of scripts has SHA-256"),
    says("burst-2", "does not prove itself with the given CA; the token was not sent"),
    says("burst-3", "the API server refuses bootstrap token aaaaaa (401): it has expired or was revoked"),
  ]);
  await says("burst-3", "this machine has not joined its cluster; it tries again in 10 s");
  for (const node of NODES) {
    expect(await lab.shell(MACHINES[node], "pgrep -x kubelet || true")).toBe("");
    expect(await lab.isReady(node)).toBeUndefined();
  }
});

it("joins machines by one user data, also by that of before the renewal of the token", async () => {
  await lab.ageCertificate("tls-bootstrap-burst-token-clock", 37);
  // burst-1 has no scripts yet, and downloads them.
  const { mirror, mirrorDir } = await lab.facts();
  await lab.configure((settings) => {
    settings["tls-bootstrap:scaleGroups"][0].userData = { limit: "ec2", bundleUrl: `${mirror}/${BUNDLE}` };
  });
  await lab.operate("deploy");
  expect(changes(await lab.operate("preview"))).toEqual([]);
  await writeFile(join(mirrorDir, BUNDLE), `${(await outputs()).scaleGroupBundle}\n`); // as the CLI prints it
  const current = (await outputs()).userData.burst as string;
  expect(tokenIn(current)).not.toBe(tokenIn(early));
  await Promise.all([boot("burst-1", current), boot("burst-2", current), boot("burst-3", early)]);
  await each((node) => eventually(async () => expect(await lab.isReady(node)).toBe(true), 180));
  await each((node) => eventually(async () => expect(await consoleOf(node)).toContain("and Ready"), 60));
  await each(async (node) => expect(await lab.sessions(MACHINES[node])).toBe(0));
});

it("gives each node its labels, taints, address and settings, and the config hash of a worker", async () => {
  const worker = await lab.get<any>("node", WORKER);
  const hash = worker.metadata.annotations["tls-bootstrap/config-hash"];
  expect(hash).toMatch(/^sha256:/);
  expect((await outputs()).scaleGroups.burst.configHash).toBe(hash);
  for (const name of NODES) {
    const { metadata, spec, status } = await lab.get<any>("node", name);
    expect(metadata.labels).toMatchObject({ "tls-bootstrap/scale-group": "burst", "example.com/disk": "ssd" });
    expect(spec.taints).toEqual(expect.arrayContaining(TAINTS)); // and others while its network begins
    expect(status.allocatable.pods).toBe("42");
    const { address } = await hostOf(lab, MACHINES[name]);
    expect(status.addresses).toContainEqual({ type: "InternalIP", address });
    expect([name, metadata.annotations["tls-bootstrap/config-hash"]]).toEqual([name, hash]);
  }
});

it("lets a node ask for a serving certificate with its own name and an address of the group only", async () => {
  const { items } = await lab.get<any>("csr");
  for (const name of NODES)
    expect(items.map(({ spec }: any) => `${spec.signerName} ${spec.username}`)).toContain(
      `${SERVING_SIGNER} system:node:${name}`,
    );
  const admin = new Api(await readFile((await lab.facts()).kubeconfig, "utf8"));
  const { address } = await hostOf(lab, MACHINES["burst-1"]);
  const asked = [
    `burst-1 burst-1 ${address}`,
    `burst-1 burst-1 ${address} 10.89.9.9`,
    `burst-1 burst-2 ${address}`,
    `burst-1 burst-1 kubernetes ${address}`,
    "burst-1 burst-1",
    "burst-1 burst-1 192.0.2.1",
    `burst-2 burst-2 ${address}`,
  ];
  const as = { user: "system:node:burst-1", groups: ["system:nodes", "system:authenticated"] };
  const answers = await Promise.all(
    makeRequests(asked).map(async ([request]) => (await admin.wouldAnswer(as, request, SERVING_SIGNER)).status),
  );
  // The last one, NodeRestriction denies.
  expect(answers).toEqual([201, 201, ...Array<number>(4).fill(422), 403]);
});

it("leaves no token on a machine", async () => {
  await each(async (node) => {
    const find = `grep -rlsF -e "$1" /etc /opt /root /run /tmp /var --exclude-dir=seed || true`;
    await eventually(async () => {
      for (const token of [tokenIn(early), tokenIn((await outputs()).userData.burst)])
        expect([node, await lab.exec(MACHINES[node], "sh", "-c", find, "sh", token)]).toEqual([node, ""]);
    }, 30);
  });
});

it("does nothing more when it boots again", async () => {
  const worker = MACHINES["burst-1"];
  const identity = () => lab.shell(worker, "sha256sum /var/lib/kubelet/pki/kubelet-client-current.pem");
  const before = await identity();
  await reboot(worker);
  await eventually(async () =>
    expect(await lab.shell(worker, "systemctl is-active tls-bootstrap-boot kubelet || true")).toBe(
      "inactive\nactive\n",
    ),
  );
  expect(await consoleOf("burst-1")).not.toContain("becomes node");
  expect(await identity()).toBe(before);
  const find = `grep -rlsF -e "$1" /etc /opt /root /run /tmp /var --exclude-dir=seed || true`;
  expect(await lab.exec(worker, "sh", "-c", find, "sh", tokenIn((await outputs()).userData.burst))).toBe("");
});

it("moves its pods away and is not Ready at once when it is powered off, but not when it reboots", async () => {
  const tolerations = [{ operator: "Exists" }];
  await lab.apply(podOn("burst-2", { tolerations }));
  await lab.kubectl("wait", "pod", "on-burst-2", "--for=condition=Ready", "--timeout=90s");
  await reboot(MACHINES["burst-2"]);
  await lab.kubectl("get", "pod", "on-burst-2");
  await eventually(async () =>
    expect(await lab.shell(MACHINES["burst-2"], "systemctl is-active tls-bootstrap-leave")).toBe("active\n"),
  );
  await eventually(async () => expect(await lab.isReady("burst-2")).toBe(true));
  await lab.out("stop", MACHINES["burst-2"]);
  expect(await lab.kubectl("get", "pods", "-o", "name")).toBe("");
  const { status, spec } = await lab.get<any>("node", "burst-2");
  const ready = status.conditions.find(({ type }: { type: string }) => type === "Ready");
  expect([ready.status, ready.reason, spec.unschedulable]).toEqual(["False", "KubeletStopped", true]);
  await lab.out("start", MACHINES["burst-2"]);
  await eventually(async () => {
    const { spec } = await lab.get<any>("node", "burst-2");
    expect([await lab.isReady("burst-2"), spec.unschedulable]).toEqual([true, undefined]);
  });
});
