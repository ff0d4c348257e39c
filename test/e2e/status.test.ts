import type { StackStatus } from "../../tools/status/compare";
import { expectBare } from "./bareHost";
import { PoolSettings } from "./poolSettings";
import { changes, TestLab } from "./testLab";

/** What nodes report, and what `npm run status` finds. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const REPORT = "systemctl start tls-bootstrap-report";

beforeAll(async () => {
  await remember();
  await configure({ "worker-1": {}, "worker-2": {} });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.run("destroy");
});

/** The exit status of `npm run status`, and its result. */
async function status(): Promise<{ code: number; result: StackStatus }> {
  const { status: code, stdout, stderr } = await lab.run("stack-status", "--json");
  if (code > 1) throw new Error(`status ended with ${code}: ${stderr}`);
  return { code, result: JSON.parse(stdout) as StackStatus };
}

const annotationsOf = async (node: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    Object.entries<string>((await lab.get<any>("node", node)).metadata.annotations)
      .filter(([key]) => key.startsWith("tls-bootstrap/"))
      .map(([key, value]) => [key.replace("tls-bootstrap/", ""), value]),
  );

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

it("all is as declared after a deployment, and equal settings have equal hashes", async () => {
  const { code, result } = await status();
  expect([code, result.asDeclared]).toEqual([0, true]);
  const [one, two] = await Promise.all(["worker-1", "worker-2"].map(annotationsOf));
  expect(one).toEqual({
    "config-hash": expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    "client-certificate-end": expect.stringMatching(RFC_3339),
    "serving-certificate-end": expect.stringMatching(RFC_3339),
    runtime: "preinstalled",
    reported: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
  });
  expect(two["config-hash"]).toBe(one["config-hash"]);
  const text = await lab.run("stack-status");
  expect(text.stdout).toMatch(/^worker-1 {3}Ready {3}v[\d.]+ {3}as declared {3}\d/m);
  expect(text.status).toBe(0);
});

it("each node has a timer", async () =>
  expect(await lab.shell("worker-1", "systemctl list-timers --no-legend tls-bootstrap-report.timer")).toContain(
    "tls-bootstrap-report.service",
  ));

it("a report that changes nothing is one request", async () => {
  const requests = async () => {
    const metrics = await lab.kubectl("get", "--raw", "/metrics");
    const count = (verb: string) =>
      [...metrics.matchAll(/^apiserver_request_total\{(.*)\} (\d+)$/gm)]
        .filter(([, labels]) => labels.includes('resource="nodes"') && labels.includes(`verb="${verb}"`))
        .reduce((sum, [, , value]) => sum + Number(value), 0);
    return { gets: count("GET"), patches: count("PATCH") };
  };
  const before = await requests();
  for (let i = 0; i < 20; i++) await lab.shell("worker-1", REPORT);
  const after = await requests();
  // The kubelets and controllers ask for Nodes too.
  expect(after.gets - before.gets).toBeGreaterThanOrEqual(20);
  expect(after.gets - before.gets).toBeLessThan(40);
  expect(after.patches - before.patches).toBeLessThan(10);
});

it("a file that was changed by hand is found, and the named command repairs it", async () => {
  const pid = await lab.kubeletPid("worker-2");
  const path = "/var/lib/kubelet/config.yaml";
  await lab.shell("worker-1", `sed -i 's/^maxPods: .*//; $a maxPods: 11' ${path}; ${REPORT}`);
  const { code, result } = await status();
  expect(code).toBe(1);
  const [one, two] = result.workers;
  expect([one.name, two.findings]).toEqual(["worker-1", []]);
  const command = 'pulumi up --stack lab --replace "**::tls-bootstrap-worker-1-kubelet"';
  expect(one.findings).toEqual([{ what: `changed by hand: ${path}`, run: command }]);
  expect(one.configHash.actual).not.toBe(one.configHash.declared);
  expect((await lab.run("stack-status")).stdout).toContain(`  changed by hand: ${path}\n    run: ${command}\n`);

  await lab.operate("deploy", "--replace", /--replace "(.*)"/.exec(command)![1]);
  expect(await lab.shell("worker-1", `grep -c 'maxPods: 11' ${path} || true`)).toBe("0\n");
  expect(await status()).toMatchObject({ code: 0, result: { asDeclared: true } });
  expect(await annotationsOf("worker-1")).not.toHaveProperty("changed-by-hand");
  expect(await lab.kubeletPid("worker-2")).toBe(pid);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("permissions of a file and scripts are found too", async () => {
  await lab.shell("worker-2", "chmod 0644 /etc/systemd/system/kubelet.service");
  await lab.shell("worker-2", `echo '# by hand' >>/opt/tls-bootstrap/scripts/leave.sh; ${REPORT}`);
  const { result } = await status();
  const [finding] = result.workers[1].findings;
  expect(finding).toEqual({
    what: "changed by hand: /opt/tls-bootstrap/scripts/leave.sh, /etc/systemd/system/kubelet.service",
    run: 'pulumi up --stack lab --replace "**::tls-bootstrap-worker-2-host"',
  });
  await lab.operate("deploy", "--replace", /--replace "(.*)"/.exec(finding.run)![1]);
  expect((await status()).code).toBe(0);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a label that changes leaves the annotations, and a kubelet setting changes the hash of one worker", async () => {
  const before = await annotationsOf("worker-1");
  await configure({ "worker-1": { labels: { rack: "r1" } }, "worker-2": { kubelet: { maxPods: 42 } } });
  await lab.operate("deploy");
  expect((await lab.get<any>("node", "worker-1")).metadata.labels.rack).toBe("r1");
  expect(await annotationsOf("worker-1")).toEqual(before);
  expect((await annotationsOf("worker-2"))["config-hash"]).not.toBe(before["config-hash"]);
  expect(changes(await lab.operate("preview", "--refresh"))).toEqual([]);
  expect((await status()).code).toBe(0);
});

it("a worker that joins again reports its new certificate", async () => {
  const serial = () => lab.shell("worker-1", "sha256sum /var/lib/kubelet/pki/kubelet-client-current.pem");
  const before = await serial();
  await configure({ "worker-1": { generation: 2 }, "worker-2": { kubelet: { maxPods: 42 } } });
  await lab.operate("deploy");
  expect(await serial()).not.toBe(before);
  const { code, result } = await status();
  expect(code).toBe(0);
  const end = Date.parse((await lab.json<any>("output")).receipts["worker-1"].certificate.notAfter);
  expect(Date.parse(result.workers[0].clientCertificateEnd!)).toBe(end);
  expect(await lab.shell("worker-1", "systemctl is-active tls-bootstrap-report.timer")).toBe("active\n");
});

it("a Node that is gone is found, and a cluster that cannot be read is not taken for one that is well", async () => {
  await lab.shell("worker-2", "systemctl stop kubelet");
  await lab.kubectl("delete", "node", "worker-2");
  const { code, result } = await status();
  expect([code, result.workers[1].node]).toEqual([1, "missing"]);
  expect(result.workers[1].findings[0].run).toBe("pulumi up --stack lab --refresh");
  await lab.operate("deploy", "--refresh");
  await lab.shell("worker-2", `systemctl start kubelet; ${REPORT}`);
  await lab.kubectl("wait", "node", "worker-2", "--for=condition=Ready", "--timeout=60s");
  expect((await status()).code).toBe(0);

  await lab.out("stop", "kube-apiserver");
  const { status: unread, stdout, stderr } = await lab.run("stack-status");
  await lab.out("start", "kube-apiserver");
  expect([unread, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("kubectl get");
});

it("a removed worker keeps nothing of it", async () => {
  await configure({});
  await lab.operate("deploy");
  await expectBare(lab, "worker-1");
  await expectBare(lab, "worker-2");
});
