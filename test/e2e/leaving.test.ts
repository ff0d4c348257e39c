import { expectBare } from "./bareHost";
import { deploymentOf, podOn } from "./pods";
import { PoolSettings } from "./poolSettings";
import { changes, eventually, TestLab } from "./testLab";

/** How a worker leaves: completely, never in silence, and not without a drain. Each test begins with the Ready workers that it names. */
const lab = new TestLab();
const { remember, configure, bind } = new PoolSettings(lab);
const RUN = "/opt/tls-bootstrap/scripts/run.sh";

beforeAll(remember);

afterAll(async () => {
  await lab.run("kubectl", "delete", "pod,deployment,pdb", "--all", "--now");
  await configure({});
  await lab.operate("deploy");
  await lab.run("destroy");
});

const nodes = async () => (await lab.status()).nodes?.map(({ name }) => name);

const running = (name: string) => lab.kubectl("wait", "pod", name, "--for=condition=Ready", "--timeout=120s");

describe("a host whose users other than root have umask 027", () => {
  it("gets folders that the SSH user can read, whatever the umask", async () => {
    await lab.shell("worker-1", "sed -i '1i umask 027' /home/admin/.bashrc");
    await configure({ "worker-1": {} });
    await lab.operate("deploy");
    const modes = "/opt/tls-bootstrap /opt/tls-bootstrap/scripts /opt/kubernetes /etc/tls-bootstrap /etc/kubernetes";
    expect(await lab.shell("worker-1", `stat -c '%a %n' ${modes}`)).toBe(
      modes
        .split(" ")
        .map((path) => `755 ${path}\n`)
        .join(""),
    );
  });

  it("is drained, stopped and wiped also when that user cannot see what is installed", async () => {
    await lab.shell("worker-1", "chmod 0750 /opt/tls-bootstrap /etc/tls-bootstrap");
    await configure({});
    await lab.operate("deploy");
    expect(await nodes()).toEqual([]);
    await expectBare(lab, "worker-1");
    await lab.shell("worker-1", "sed -i '/^umask 027$/d' /home/admin/.bashrc");
  });
});

describe("a join that fails when the node is Ready", () => {
  it("leaves a node that the next update removes whole, with its pods, logs and network settings", async () => {
    await lab.shell("worker-1", "touch /etc/cni/net.d/of-the-host");
    await configure({ "worker-1": {} });
    const failing = lab.fails("deploy");
    // kube-proxy is not there, and the binding for renewals goes in the middle of the join.
    const binding = "clusterrolebinding/tls-bootstrap-lab:approve-renewals";
    await eventually(() => lab.kubectl("patch", binding, "--type=json", "-p", '[{"op":"remove","path":"/subjects"}]'));
    expect(await failing).toContain("worker-1 has joined, but its certificate would not be renewed");
    await eventually(async () => expect(await lab.isReady("worker-1")).toBe(true));
    await lab.apply(podOn("worker-1", { tolerations: [{ operator: "Exists" }] }, "left-over"));
    await running("left-over");
    await lab.kubectl("delete", "pod", "left-over", "--now");
    await lab.shell("worker-1", "echo secret >/etc/cni/net.d/plugin-kubeconfig");

    await configure({});
    await lab.operate("deploy");
    expect(await nodes()).toEqual([]);
    await expectBare(lab, "worker-1");
    expect(await lab.shell("worker-1", "ls /var/log/pods /var/log/containers 2>/dev/null || true")).toBe("");
    expect(await lab.shell("worker-1", "ls /etc/cni/net.d")).toContain("of-the-host");
    expect(await lab.shell("worker-1", "ls /etc/cni/net.d")).not.toContain("plugin-kubeconfig");
    await lab.shell("worker-1", "rm /etc/cni/net.d/of-the-host");
    await bind("approve-renewals", "system:nodes");
  });
});

describe("a removal", () => {
  beforeAll(async () => {
    await configure({ "worker-1": {}, "worker-2": {} });
    await lab.operate("deploy");
  });

  it("opens one SSH session", async () => {
    const before = await lab.allSessions(["worker-1", "worker-2"]);
    await configure({ "worker-1": {} });
    const preview = changes(await lab.operate("preview"));
    expect(preview).toContain("delete tls-bootstrap-worker-2-leave");
    await lab.operate("deploy");
    expect(await lab.allSessions(["worker-1", "worker-2"])).toEqual({ ...before, "worker-2": before["worker-2"] + 1 });
    await expectBare(lab, "worker-2");
  });

  it("names the pods that it would destroy, and removes nothing until the settings allow it", async () => {
    const volumes = [{ name: "data", emptyDir: {} }];
    await lab.apply(podOn("worker-1", { volumes }, "bare"));
    await lab.apply(deploymentOf("cache", 1, { volumes }));
    await lab.kubectl("rollout", "status", "deployment/cache", "--timeout=120s");
    await running("bare");
    await configure({});
    const errors = await lab.fails("deploy");
    expect(errors).toContain("worker-1 is not removed: an eviction would destroy these pods:");
    expect(errors).toContain("default/bare: no controller would start it again (drain.barePods)");
    expect(errors).toMatch(
      /default\/cache-\S+: the data of its emptyDir volumes would be lost \(drain\.emptyDirData\)/,
    );
    expect(await lab.isReady("worker-1")).toBe(true);
    await running("bare");

    await configure({ "worker-1": {} }, { drain: { barePods: "delete", emptyDirData: "delete" } });
    await lab.operate("deploy");
    await configure({});
    await lab.operate("deploy");
    expect(await nodes()).toEqual([]);
    await expectBare(lab, "worker-1");
    await lab.kubectl("delete", "deployment", "cache", "--now");
    await configure({}, { drain: undefined });
  });
});

describe("a leave that is not for the present node", () => {
  it("changes nothing", async () => {
    await configure({ "worker-1": {} });
    await lab.operate("deploy");
    const pid = await lab.kubeletPid("worker-1");
    const other = "urn:pulumi:lab::tls-bootstrap::tls-bootstrap:index:Worker::another";
    const { stderr } = await lab.run("exec", "worker-1", "--", "sh", "-c", `echo '${other}' | ${RUN} leave`);
    expect(stderr).toMatch(
      /the node on this host belongs to urn:pulumi:lab::tls-bootstrap::\S+::tls-bootstrap-worker-1 now/,
    );
    expect(await lab.isReady("worker-1")).toBe(true);
    expect(await lab.kubeletPid("worker-1")).toBe(pid);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});
