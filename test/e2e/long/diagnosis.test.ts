import { createAuthority, issueCertificate } from "../../../lab/control-plane/certificates";
import { CLIENT_CERTIFICATE } from "../bareHost";
import { changes, TestLab } from "../testLab";

/** The errors of a join when the cluster does not do its part, or when the host belongs to another cluster. */
const lab = new TestLab();
const JOIN = "/opt/tls-bootstrap/scripts/join.sh";

let worker: any;
const configure = (change: object) =>
  lab.configure((settings) => {
    settings["tls-bootstrap:pools"][0].workers = [{ ...worker, ...change }];
  });

const isReady = async () => (await lab.status()).nodes?.map(({ name, ready }) => [name, ready]);

beforeAll(async () => {
  await lab.configure((settings) => {
    worker = settings["tls-bootstrap:pools"][0].workers[0];
  });
  await configure({});
  await lab.operate("deploy");
});

afterAll(async () => {
  await lab.out("up", "--reset-flags");
  await lab.run("destroy");
});

describe("a host with the identity of another cluster", () => {
  const identity = () => lab.shell("worker-1", `sha256sum ${CLIENT_CERTIFICATE}; systemctl is-active kubelet`);

  it("is not accepted as a node of this cluster, and not wiped unasked", async () => {
    const request = { organization: "system:nodes", commonName: "system:node:worker-1" };
    const now = new Date();
    const { certificate, key } = await issueCertificate(await createAuthority("another-ca", now), request, now);
    await lab.shell("worker-1", `cat >$(readlink -f ${CLIENT_CERTIFICATE}) <<'END'\n${certificate}${key}END`);
    const before = await identity();
    const { status, stderr } = await lab.run("exec", "worker-1", "--", "sh", "-c", `${JOIN} </dev/null`);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `is not accepted as the certificate of worker-1 by ${(await lab.facts()).apiServer}, which answers: `,
    );
    expect(stderr).toContain("raise this worker's 'generation' to wipe its identity and join again");
    expect(await identity()).toBe(before);
  });

  it("joins again when its generation is raised, also with other changes", async () => {
    const before = await identity();
    await configure({ generation: 2, kubelet: { maxPods: 42 } });
    await lab.operate("deploy");
    expect(await identity()).not.toBe(before);
    expect(await isReady()).toEqual([["worker-1", true]]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});

it("an added CA is used without a new kubeconfig", async () => {
  const { certificate } = await createAuthority("next-ca", new Date());
  await lab.configure((settings) => {
    settings["tls-bootstrap:cluster"].ca = `${settings["tls-bootstrap:cluster"].ca.trim()}\n${certificate}`;
  });
  expect(changes(await lab.operate("preview"))).toContain("update tls-bootstrap-worker-1-kubelet");
  await lab.operate("deploy");
  expect(await lab.shell("worker-1", "grep -c BEGIN /etc/kubernetes/pki/ca.crt")).toBe("2\n");
  expect(await lab.shell("worker-1", "grep certificate-authority /etc/kubernetes/kubelet.conf")).toBe(
    "    certificate-authority: /etc/kubernetes/pki/ca.crt\n",
  );
  expect(await isReady()).toEqual([["worker-1", true]]);
  expect(changes(await lab.operate("preview"))).toEqual([]);
});

describe("a join that gets no certificate reports the state of its request", () => {
  beforeAll(async () => {
    // A busy cluster may take longer, but these tests need not wait.
    await lab.shell("worker-1", `sed -i 's/^CERTIFICATE_SECONDS=[0-9]*/CERTIFICATE_SECONDS=15/' ${JOIN}`);
  });
  /** Configures one worker again, since `up` writes the settings with all workers. */
  const again = () => configure({ generation: 3 });

  const without = (controller: string) =>
    lab.out("up", "--flag", `kube-controller-manager=--controllers=*,bootstrapsigner,tokencleaner,-${controller}`);

  it.each([
    [
      "no controller manager",
      () => lab.out("stop", "kube-controller-manager"),
      /request csr-\w+ is pending: not approved/,
    ],
    [
      "no approver",
      () => without("certificatesigningrequest-approving-controller"),
      /request csr-\w+ is pending: not approved/,
    ],
    [
      "no signer",
      () => without("certificatesigningrequest-signing-controller"),
      /request csr-\w+ is approved but not signed/,
    ],
    [
      "no bootstrap tokens",
      () => lab.out("up", "--reset-flags", "--flag", "kube-apiserver=--enable-bootstrap-token-auth=false"),
      /refuses bootstrap token \w{6} \(401\): .* or the API server does not take bootstrap tokens \(--enable-bootstrap-token-auth\)/,
    ],
  ])("with %s", async (_, break_, diagnosis) => {
    await break_();
    await again();
    const errors = await lab.fails("deploy");
    expect(errors).toMatch(diagnosis);
    const [said] = diagnosis.exec(errors)!;
    expect(await lab.shell("worker-1", "journalctl -u 'tls-bootstrap-*' --no-pager -o cat")).toContain(said);
    expect(await lab.shell("worker-1", "ls /etc/kubernetes; systemctl is-active kubelet || true")).toBe(
      "pki\ninactive\n",
    );
  });

  it("and joins when the cluster works again", async () => {
    await lab.out("up", "--reset-flags");
    await again();
    await lab.operate("deploy");
    expect(await isReady()).toEqual([["worker-1", true]]);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});
