import { BOOTSTRAP_KUBECONFIG, startPendingJoin } from "./pendingJoin";
import { PoolSettings } from "./poolSettings";
import { changes, eventually, TestLab } from "./testLab";

/** Runs that are killed on the host: what they leave, and that the next deployment converges. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const CONFIG = "/var/lib/kubelet/config.yaml";

/** Kills all processes of a running step. */
const killStep = (worker: string, step: string) =>
  lab.shell(worker, `systemctl kill --signal KILL --kill-whom all 'tls-bootstrap-${step}.*'`);

/** Expects that nothing on the worker goes on trying with a token. */
async function expectNoAttempt(worker: string): Promise<void> {
  const left = `ls ${BOOTSTRAP_KUBECONFIG} /etc/kubernetes/kubelet.conf 2>/dev/null; ls /run/tls-bootstrap`;
  expect(await lab.shell(worker, `${left} || true`)).toBe("lock\n");
  expect(await lab.shell(worker, "systemctl is-active kubelet; systemctl is-enabled kubelet || true")).toBe(
    "inactive\ndisabled\n",
  );
}

beforeAll(async () => {
  await remember();
});

afterAll(async () => {
  await lab.out("up"); // also what a test has stopped
  await lab.run("destroy");
});

it("a killed join leaves no token and no running kubelet, and the next deployment joins", async () => {
  await configure({ "worker-1": {} });
  const { end } = await startPendingJoin(lab, "worker-1");
  // A kubelet that is stopped in its first moments exits with an error. This drop-in makes it always do so.
  const dropIn = "/run/systemd/system/kubelet.service.d";
  await lab.shell(
    "worker-1",
    `mkdir ${dropIn} && printf '[Service]\nExecStopPost=false\n' >${dropIn}/fails.conf && systemctl daemon-reload`,
  );
  await killStep("worker-1", "join");
  await end();
  await expectNoAttempt("worker-1");
  await lab.shell("worker-1", `rm -r ${dropIn} && systemctl daemon-reload`);
  await lab.operate("deploy");
  expect(await lab.isReady("worker-1")).toBe(true);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

it("a step that systemd cannot start fails with systemd's error, and leaves no token", async () => {
  await lab.shell(
    "worker-1",
    "printf '#!/bin/sh\\necho \"Failed to connect to bus: No such file or directory\" >&2\\nexit 1\\n' >/usr/local/bin/systemd-run; chmod +x /usr/local/bin/systemd-run",
  );
  await configure({ "worker-1": { generation: 2 } });
  const errors = await lab.fails("deploy");
  expect(errors).toContain(
    'systemd did not start step "kubelet apply": Failed to connect to bus: No such file or directory',
  );
  expect(await lab.shell("worker-1", "ls /run/tls-bootstrap")).toBe("lock\n");
  await lab.shell("worker-1", "rm /usr/local/bin/systemd-run");
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
});

it("a step that systemd lost sight of fails, although systemd-run reports no error, and the next deployment goes on", async () => {
  // As when systemd is restarted meanwhile, for an update of its package.
  await lab.shell(
    "worker-1",
    "printf '#!/bin/sh\n/usr/bin/systemd-run \"$@\" >/dev/null 2>&1 &\nsleep 0.5\n' >/usr/local/bin/systemd-run; chmod +x /usr/local/bin/systemd-run",
  );
  await configure({ "worker-1": { kubelet: { maxPods: 43 } } });
  expect(await lab.fails("deploy")).toContain('systemd lost sight of step "kubelet apply"');
  await lab.shell("worker-1", "rm /usr/local/bin/systemd-run");
  await lab.operate("deploy");
  expect((await lab.get<any>("node", "worker-1")).status.capacity.pods).toBe("43");
  expect(await lab.shell("worker-1", "ls /run/tls-bootstrap")).toBe("lock\n");
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
});

it("a join whose Node was deleted by hand restarts the kubelet, which makes its Node anew", async () => {
  await lab.kubectl("delete", "node", "worker-1");
  const { status, stderr } = await lab.run(
    ...["exec", "worker-1", "--", "sh", "-c", "/opt/tls-bootstrap/scripts/run.sh join </dev/null"],
  );
  expect(stderr).toBe("worker-1 has no Node any more; its kubelet makes one when it starts\n");
  expect(status).toBe(0);
  expect(await lab.isReady("worker-1")).toBe(true);
  await lab.operate("deploy", "--refresh"); // gives the Node its labels
});

it("scripts and settings of a host do not change while another run is busy there", async () => {
  const settings = "/etc/tls-bootstrap/host.conf";
  const [conf, release] = [await lab.exec("worker-1", "cat", settings), "/run/release"];
  await lab.shell(
    "worker-1",
    `systemd-run --quiet --unit busy flock /run/tls-bootstrap/lock sh -c 'until [ -e ${release} ]; do sleep 0.1; done'`,
  );
  await configure({ "worker-1": {} }, { drain: { timeoutSeconds: 60 } });
  const deploying = lab.operate("deploy");
  await eventually(() => lab.shell("worker-1", "pgrep -f 'flock -w'"), 60);
  expect(await lab.exec("worker-1", "cat", settings)).toBe(conf);
  await lab.shell("worker-1", `touch ${release}`);
  await deploying;
  expect(await lab.exec("worker-1", "cat", settings)).toContain("DRAIN_SECONDS='60'");
  await lab.shell("worker-1", `rm ${release}`);
  await configure({ "worker-1": {} }, { drain: undefined });
  await lab.operate("deploy");
});

describe("an update that is killed between the new kubelet files and the restart", () => {
  /** Kills the step instead of the restart, once. */
  const killInsteadOfRestart = () =>
    lab.shell(
      "worker-1",
      `cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
[ "$1" = restart ] || exec /usr/bin/systemctl "$@"
rm -f "$0"
exec /usr/bin/systemctl kill --signal KILL --kill-whom all 'tls-bootstrap-kubelet.*'
END
       chmod +x /usr/local/bin/systemctl`,
    );
  const maxPods = async () => (await lab.get<any>("node", "worker-1")).status.capacity.pods as string;

  it("restarts the kubelet in the next deployment, although no file differs any more", async () => {
    const pid = await lab.kubeletPid("worker-1");
    await configure({ "worker-1": { kubelet: { maxPods: 42 } } });
    await killInsteadOfRestart();
    await lab.fails("deploy");
    expect(await lab.exec("worker-1", "cat", CONFIG)).toContain("maxPods: 42");
    expect(await lab.kubeletPid("worker-1")).toBe(pid);
    await lab.operate("deploy");
    expect(await lab.kubeletPid("worker-1")).not.toBe(pid);
    await eventually(async () => expect(await maxPods()).toBe("42"));
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("a volume in use is not deleted through its mount when the node leaves", async () => {
  const volume = "/var/lib/kubelet/pods/a-pod/volumes/a-volume";
  await lab.shell(
    "worker-1",
    `mkdir -p ${volume} && mount -t tmpfs none ${volume} && echo precious >${volume}/data &&
     systemd-run --quiet --unit holder --property WorkingDirectory=${volume} sleep 600`,
  );
  await configure({});
  const errors = await lab.fails("deploy");
  expect(errors).toContain(
    `volumes are still mounted below /var/lib/kubelet, so nothing there was deleted:\n    ${volume}`,
  );
  expect(await lab.exec("worker-1", "cat", `${volume}/data`)).toBe("precious\n");
  await lab.shell("worker-1", "systemctl stop holder");
  await lab.operate("deploy");
  expect(await lab.shell("worker-1", "ls /var/lib/kubelet /etc/kubernetes 2>/dev/null || true")).toBe("");
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

describe("while a join runs on a host", () => {
  const SCRIPTS = "/opt/tls-bootstrap/scripts";
  const WAITING = "another run of tls-bootstrap is busy on this host; waiting for it\n";
  let since: string;
  /** The output of the units of a step since the test began. */
  const journal = (step: string) =>
    lab.shell(
      "worker-2",
      `journalctl -u 'tls-bootstrap-${step}.*' _TRANSPORT=stdout --since @${since} --no-pager -o cat`,
    );

  it("other runs wait and say so, and a run with a dropped connection goes on and keeps its log", async () => {
    await configure({ "worker-2": {} });
    const { end } = await startPendingJoin(lab, "worker-2");
    since = (await lab.shell("worker-2", "date +%s")).trim();
    const waiting = lab.shell("worker-2", `${SCRIPTS}/run.sh kubelet remove </dev/null 2>&1`);
    await eventually(async () => expect(await journal("kubelet")).toBe(WAITING));
    const dropped = lab.run("exec", "worker-2", "--", "sh", "-c", `exec ${SCRIPTS}/run.sh serving apply </dev/null`);
    await eventually(async () => expect(await journal("serving")).toBe(WAITING));
    await lab.shell("worker-2", "pkill -KILL -f '(run.sh|systemd-run .*) serving apply$'");
    expect((await dropped).status).not.toBe(0);
    expect((await lab.exec("worker-2", "systemctl", "is-active", "kubelet")).trim()).toBe("active");
    await killStep("worker-2", "join");
    await end();
    expect(await waiting).toBe(WAITING);
    expect(await lab.shell("worker-2", "ls /etc/kubernetes/pki")).toBe("kubelet-serving.crt\nkubelet-serving.key\n");
    await eventually(async () =>
      expect(await journal("serving")).toContain(
        `${WAITING}tls-bootstrap: the serving certificate that was signed for worker-2 is not for the key in`,
      ),
    );
    await eventually(async () => expect(await lab.shell("worker-2", "ls /run/tls-bootstrap")).toBe("lock\n"));
  });
});
