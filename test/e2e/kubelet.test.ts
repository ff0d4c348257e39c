/** @independent */
import { request } from "node:https";
import { connect } from "node:net";
import { fieldChecks } from "../../components/kubelet/fields";
import { kubeletChecks } from "../../components/kubelet/levels";
import { flags, gates, versionProblem } from "../../components/kubelet/kubeletData";
import {
  ONLY_PREVIEW_REFUSES,
  REFUSED_LATE,
  RIGHT_SETTINGS,
  type Settings,
  WRONG_FIELDS,
  WRONG_PAIRS,
} from "../kubeletCases";
import { KUBELET, MINOR, verdictLines, upToBootstrap, type Verdict, verdicts, wrongTypes } from "./kubeletVerdicts";
import { eventually, TestLab, VERSION } from "./testLab";

/** Kubelet settings on real kubelets: what applies on a node, and that the preview refuses what a kubelet would not run with. */
const lab = new TestLab();

/** A flag value with all characters that are special to systemd. */
const LOCK_FILE = `/run/kubelet's "\\lock" 100% $HOME;.pid`;

let address: string;
let ofPool: Settings;

beforeAll(async () => {
  await lab.configure((settings) => {
    const [pool] = settings["tls-bootstrap:pools"];
    pool.workers.splice(1);
    pool.kubeletFlags = { "housekeeping-interval": "20s" };
    pool.workers[0].kubeletFlags = { "lock-file": LOCK_FILE };
    pool.workers[0].kubelet = { maxPods: 42 };
    address = pool.workers[0].address;
    ofPool = pool.kubelet;
  });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.run("destroy");
  await lab.exec("worker-1", "rm", "-f", LOCK_FILE);
});

interface Configz {
  kubeletconfig: Record<string, any>;
}

it("settings of a worker and of its pool reach the running kubelet", async () => {
  const { kubeletconfig } = JSON.parse(
    await lab.kubectl("get", "--raw", "/api/v1/nodes/worker-1/proxy/configz"),
  ) as Configz;
  expect(kubeletconfig.maxPods).toBe(42);
  expect(kubeletconfig).toMatchObject(ofPool);
});

it("flags reach the kubelet unchanged, with any characters", async () => {
  const pid = await lab.kubeletPid("worker-1");
  const words = (await lab.shell("worker-1", `tr '\\0' '\\n' </proc/${pid}/cmdline`)).split("\n");
  expect(words).toContain("--housekeeping-interval=20s");
  expect(words).toContain(`--lock-file=${LOCK_FILE}`);
  expect(await lab.shell("worker-1", "ls /run")).toContain(LOCK_FILE.slice("/run/".length));
});

describe("CIS benchmark, section 4", () => {
  let config: Record<string, any>;
  beforeAll(async () => {
    const text = await lab.kubectl("get", "--raw", "/api/v1/nodes/worker-1/proxy/configz");
    config = (JSON.parse(text) as Configz).kubeletconfig;
  });

  it.each([
    ["/etc/systemd/system/kubelet.service", "600 root:root"],
    ["/etc/kubernetes/kubelet.conf", "600 root:root"],
    ["/etc/kubernetes/pki/ca.crt", "644 root:root"],
    ["/var/lib/kubelet/config.yaml", "600 root:root"],
    ["/var/lib/kubelet/pki/kubelet-client-current.pem", "600 root:root"],
    ["/etc/kubernetes/pki/kubelet-serving.key", "600 root:root"],
    ["/etc/kubernetes/pki/kubelet-serving.crt", "644 root:root"],
  ])("%s is %s", async (file, expected) =>
    expect((await lab.shell("worker-1", `stat -L -c '%a %U:%G' ${file}`)).trim()).toBe(expected),
  );

  it.each<[string, (config: Record<string, any>) => unknown, unknown]>([
    ["anonymous requests are refused", (c) => c.authentication.anonymous.enabled, false],
    ["requests are authenticated by webhook", (c) => c.authentication.webhook.enabled, true],
    ["requests are authorized by webhook", (c) => c.authorization.mode, "Webhook"],
    [
      "clients prove themselves to the cluster's CA",
      (c) => c.authentication.x509.clientCAFile,
      "/etc/kubernetes/pki/ca.crt",
    ],
    ["there is no read-only port", (c) => c.readOnlyPort ?? 0, 0],
    ["idle streams end", (c) => c.streamingConnectionIdleTimeout, "5m0s"],
    ["iptables chains are managed", (c) => c.makeIPTablesUtilChains, true],
    ["events are limited", (c) => c.eventRecordQPS, 50],
    ["client certificates are renewed", (c) => c.rotateCertificates, true],
    [
      "servers prove themselves with a certificate that was issued",
      (c) => [c.tlsCertFile, c.tlsPrivateKeyFile],
      ["/etc/kubernetes/pki/kubelet-serving.crt", "/etc/kubernetes/pki/kubelet-serving.key"],
    ],
    [
      "cipher suites have forward secrecy and authenticated encryption",
      (c) =>
        c.tlsCipherSuites.filter(
          (name: string) => !/^TLS_ECDHE_(RSA|ECDSA)_WITH_(AES_\d+_GCM|CHACHA20_POLY1305)_/.test(name),
        ),
      [],
    ],
    ["a pod's processes are limited", (c) => c.podPidsLimit, 4096],
    ["pods get the runtime's seccomp profile", (c) => c.seccompDefault, true],
  ])("%s", (_, of, expected) => expect(of(config)).toEqual(expected));
});

describe("the kubelet's ports", () => {
  const status = (path: string, method = "GET") =>
    new Promise<number>((done, failed) => {
      const sent = request({ host: address, port: 10250, path, method, rejectUnauthorized: false }, (response) => {
        response.resume();
        done(response.statusCode!);
      });
      sent.on("error", failed).end();
    });
  const opens = (port: number) =>
    new Promise<string>((done) => {
      const socket = connect({ host: address, port, timeout: 5000 }, () => socket.destroy(new Error("open")));
      socket.on("timeout", () => socket.destroy(new Error("silent")));
      socket.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    });

  it.each(["/pods", "/metrics", "/configz", "/healthz", "/stats/summary", "/containerLogs/a/b/c", "/run/a/b/c"])(
    "10250%s answers 401 without credentials",
    async (path) => {
      expect(await status(path)).toBe(401);
      expect(await status(path, "POST")).toBe(401);
    },
  );

  it("10255 is closed, and 10248 listens on loopback only", async () => {
    expect([await opens(10250), await opens(10255), await opens(10248)]).toEqual([
      "open",
      "ECONNREFUSED",
      "ECONNREFUSED",
    ]);
    expect(await lab.shell("worker-1", "curl -s http://127.0.0.1:10248/healthz")).toBe("ok");
    const listening = await lab.shell("worker-1", "ss -Hltn 'sport = :10248'");
    expect(listening.trim().split("\n")).toEqual([expect.stringContaining("127.0.0.1:10248")]);
  });
});

it("wrong settings are one report at preview, without a connection to the API server or to a host", async () => {
  const logins = await lab.sessions("worker-1");
  const file = await lab.configFile("wrong-kubelet", (settings) => {
    // Nobody answers there, and a request would show in the errors.
    settings["tls-bootstrap:cluster"].server = "https://192.0.2.1:6443";
    settings["tls-bootstrap:kubernetesVersion"] = "1.33.4";
    settings["tls-bootstrap:downloadUrl"] = "https://192.0.2.1";
    delete settings["tls-bootstrap:checksums"];
    settings["tls-bootstrap:kubelet"] = { maxPod: 50 };
    const [pool] = settings["tls-bootstrap:pools"];
    pool.kubelet = { ...pool.kubelet, tlsCurvePreferences: [29], evictionHard: { "memory.available": "100MB" } };
    pool.kubeletFlags = { "container-runtime": "remote", "max-pods": 50 };
    return settings;
  });
  const errors = await lab.fails("preview", "--config-file", file);
  const lines = errors.slice(errors.indexOf("The configuration of this stack")).split("\n").slice(0, 6);
  expect(lines).toEqual([
    "The configuration of this stack cannot be used: 5 problems",
    "  tls-bootstrap:kubelet.maxPod: is not a field of KubeletConfiguration; did you mean maxPods?",
    "  tls-bootstrap:pools[0].kubelet.evictionHard[\"memory.available\"]: '100MB' must be a quantity such as 100Mi or a percentage such as 10%, above 0",
    "  tls-bootstrap:pools[0].kubelet.tlsCurvePreferences: needs Kubernetes 1.36 or newer; these kubelets are 1.33",
    '  tls-bootstrap:pools[0].kubeletFlags["container-runtime"]: was removed in Kubernetes 1.27',
    '  tls-bootstrap:pools[0].kubeletFlags["max-pods"]: is a field of KubeletConfiguration: set kubelet.maxPods',
  ]);
  expect(errors).not.toContain("192.0.2.1");
  expect(await lab.sessions("worker-1")).toBe(logins);
});

describe("a real kubelet", () => {
  const isIn = (list: readonly object[], settings: object) =>
    list.some((one) => JSON.stringify(one) === JSON.stringify(settings));

  it("accepts what the preview accepts, and refuses or ignores what the preview refuses", async () => {
    const wrong = [...WRONG_FIELDS, ...WRONG_PAIRS].map(([settings]) => settings);
    const cases = [...RIGHT_SETTINGS, ...wrong];
    const given = await upToBootstrap(lab, cases);
    const expected = cases.map((settings): Verdict => {
      if (isIn(RIGHT_SETTINGS, settings) || isIn(ONLY_PREVIEW_REFUSES, settings) || isIn(REFUSED_LATE, settings))
        return "accepted";
      const problems = kubeletChecks(VERSION, { pools: [{ workers: [{}], kubelet: settings }] });
      return problems.some(([, problem]) => problem?.includes("not a field")) ? "ignored" : "refused";
    });
    expect(verdictLines(cases, given)).toEqual(verdictLines(cases, expected));
  }, 900_000);

  it("refuses a value of the wrong type in each of its fields", async () => {
    const cases = wrongTypes();
    expect(cases.length).toBeGreaterThan(150);
    const given = await upToBootstrap(lab, cases);
    expect(verdictLines(cases, given).filter((line) => !line.startsWith("refused "))).toEqual([]);
    const ours = cases.filter((settings) => !fieldChecks("kubelet", settings, MINOR).some(([, problem]) => problem));
    expect(ours).toEqual([]);
  }, 900_000);

  it("has the feature gates of its version, and refuses to change locked ones", async () => {
    const known = Object.entries(gates).filter(([, gate]) => !versionProblem(gate, MINOR));
    const locked = known.filter(([, gate]) => (gate.locked ?? 99) <= MINOR);
    const all = Object.fromEntries([
      ...known.map(([name]) => [name, false]),
      ...locked.map(([name, { value }]) => [name, value]),
      ["RotateKubeletServerCertificate", true], // serverTLSBootstrap in these configs needs it
    ]);
    const cases = [
      { featureGates: all },
      ...locked.map(([name, { value }]) => ({ featureGates: { [name]: !value } })),
      ...Object.entries(gates).flatMap(([name, gate]) =>
        versionProblem(gate, MINOR) ? [{ featureGates: { [name]: true } }] : [],
      ),
    ];
    const given = await upToBootstrap(lab, cases);
    expect(verdictLines(cases, given)).toEqual(
      verdictLines(
        cases,
        cases.map((_, i) => (i === 0 ? "accepted" : "refused")),
      ),
    );
  }, 900_000);

  it("has exactly the flags that kubelets.json lists", async () => {
    const help = await lab.exec("worker-1", KUBELET, "--help");
    const real = [...help.matchAll(/^ +(?:-\w, )?--([a-z0-9-]+)/gm)].map(([, name]) => name).sort();
    expect(Object.keys(flags).filter((name) => !versionProblem(flags[name], MINOR))).toEqual(real);
    const listed = [...help.matchAll(/\b(\w+)=true\|false \(/g)].map(([, name]) => name);
    expect(listed.length).toBeGreaterThan(100);
    expect(listed.filter((name) => !/^All(Alpha|Beta)$/.test(name) && !(name in gates))).toEqual([]);
  });

  it("ends with settings that it refuses only when it sets up its managers", async () => {
    // Runs in the place of the worker's kubelet, without an API server.
    await lab.exec("worker-1", "systemctl", "stop", "kubelet");
    try {
      const given = await verdicts(lab, REFUSED_LATE, "", "Started kubelet");
      expect(verdictLines(REFUSED_LATE, given)).toEqual(
        verdictLines(
          REFUSED_LATE,
          REFUSED_LATE.map(() => "refused"),
        ),
      );
    } finally {
      await lab.exec("worker-1", "systemctl", "start", "kubelet");
    }
    await eventually(async () =>
      expect((await lab.status()).nodes).toEqual([expect.objectContaining({ ready: true })]),
    );
  }, 900_000);
});
