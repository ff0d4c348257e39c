import { PoolSettings } from "../poolSettings";
import { changes, TestLab } from "../testLab";

/** A worker joins only where the API server enforces what restrains its token and its node. Each test builds on the tests before it. */
const lab = new TestLab();
const { remember, configure } = new PoolSettings(lab);
const POLICY = "tls-bootstrap-lab-names";
const BINDING = ["validatingadmissionpolicybinding", POLICY];
const SCRIPTS = "/opt/tls-bootstrap/scripts";

const readiness = async () => (await lab.status()).nodes?.map(({ name, ready }) => [name, ready]);
const requests = () => lab.kubectl("get", "csr", "-o", "name");

/** What a join that did not begin, or was undone, leaves on a worker. */
const traces = (worker: string) =>
  lab.shell(
    worker,
    "ls /etc/kubernetes /var/lib/kubelet; systemctl is-active kubelet; systemctl is-enabled kubelet || true",
  );
const NO_TRACES = "/etc/kubernetes:\npki\n\n/var/lib/kubelet:\nconfig.yaml\ninactive\ndisabled\n";

beforeAll(async () => {
  await remember();
  await configure({ "worker-1": {} });
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.out("up", "--reset-flags");
  await lab.run("destroy");
});

describe("a join policy that is not in force", () => {
  it.each([
    ["whose binding was deleted", ["delete", ...BINDING], 1],
    [
      "whose binding only audits",
      ["patch", ...BINDING, "--type=merge", "-p", JSON.stringify({ spec: { validationActions: ["Audit"] } })],
      2,
    ],
  ])(
    "%s: no certificate is requested, and the worker joins once the policy denies again",
    async (_, change, generation) => {
      await lab.kubectl(...change);
      await configure({ "worker-1": {}, "worker-2": { generation } });
      const before = await requests();

      const errors = await lab.fails("deploy");

      expect(errors).toMatch(
        new RegExp(
          `the policy ${POLICY} is not in force: bootstrap token \\w{6} may request a certificate for any node name`,
        ),
      );
      expect(errors).toContain(`kubectl get validatingadmissionpolicybinding ${POLICY} -o yaml; 'pulumi up --refresh'`);
      expect(await requests()).toBe(before);
      expect(await traces("worker-2")).toBe(NO_TRACES);

      await lab.operate("deploy", "--refresh");
      expect(await readiness()).toEqual([
        ["worker-1", true],
        ["worker-2", true],
      ]);
      expect(changes(await lab.operate("preview"))).toEqual([]);
      // The next case need not wait for a policy that is yet to be loaded.
      await lab.shell("worker-2", `sed -i 's/^POLICY_SECONDS=[0-9]*/POLICY_SECONDS=3/' ${SCRIPTS}/in-force.sh`);
    },
  );
});

describe("without NodeRestriction", () => {
  const members = { "worker-1": {}, "worker-2": { generation: 2 }, "worker-3": {} };

  beforeAll(async () => {
    await lab.out("up", "--flag", "kube-apiserver=--enable-admission-plugins=NamespaceLifecycle");
    await configure(members); // `up` has written the settings with all workers
  });

  it("a new worker leaves again", async () => {
    const errors = await lab.fails("deploy");
    expect(errors).toContain("NodeRestriction is off: worker-3 may change other Nodes; it has left the cluster again");
    expect(errors).toContain("start each API server with --enable-admission-plugins=NodeRestriction");
    expect(await traces("worker-3")).toBe(NO_TRACES);
    expect(await lab.isReady("worker-3")).toBe(false);
  });

  it("a node that had joined before is reported and keeps running", async () => {
    const pid = await lab.kubeletPid("worker-1");
    const { status, stderr } = await lab.run("exec", "worker-1", "--", "sh", "-c", `${SCRIPTS}/join.sh </dev/null`);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "NodeRestriction is off: worker-1 may change other Nodes; it had joined before and keeps running",
    );
    expect(await lab.kubeletPid("worker-1")).toBe(pid);
    expect(await lab.isReady("worker-1")).toBe(true);
  });

  it("a worker that left joins when it is on again", async () => {
    await lab.out("up", "--reset-flags");
    await configure(members);
    await lab.operate("deploy");
    expect(await readiness()).toEqual(Object.keys(members).map((name) => [name, true]));
    expect((await lab.get<any>("node", "worker-3")).spec.unschedulable).toBeUndefined();
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});
