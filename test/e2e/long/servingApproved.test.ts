import { makeRequests, readRequests } from "../../requests/goRequests";
import {
  bringUpVerifyingApiServer,
  clusterCa,
  expectLogsAndExec,
  lab,
  removeVerifyingApiServer,
  servingCa,
  startPods,
  trust,
  TWO,
} from "../servingLab";
import { changes, eventually } from "../testLab";

/**
 * Serving certificates that the kubelets request: approved by hand, by the approver, and never for another name or address. The API server
 * verifies kubelets. Each test builds on the tests before it.
 */
const SIGNER = "kubernetes.io/kubelet-serving";
const userOf = (node: string) => `system:node:${node}`;

jest.setTimeout(600_000);

/** A request for a serving certificate as an object of the API. */
function requestOf(line: string): object {
  const [[request]] = makeRequests([line]);
  return {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { generateName: "asked-" },
    spec: { request, signerName: SIGNER, usages: ["digital signature", "server auth"] },
  };
}

/** Requests a serving certificate with the identity of a node. Returns what the API server answers. */
async function ask(node: string, line: string): Promise<string> {
  const kubectl = ". /etc/tls-bootstrap/node.conf; $KUBECTL --kubeconfig /etc/kubernetes/kubelet.conf";
  return lab.shell(
    node,
    `${kubectl} create -f - -o name 2>&1 <<'END' || true\n${JSON.stringify(requestOf(line))}\nEND\n`,
  );
}

/** The requests for serving certificates, with the names in them. */
async function requests() {
  const { items } = await lab.get<{ items: any[] }>("csr");
  const serving = items.filter(({ spec }) => spec.signerName === SIGNER);
  const asked = readRequests(serving.map(({ spec }) => spec.request as string));
  return serving.map(({ metadata, spec, status }, i) => ({
    name: metadata.name as string,
    by: spec.username as string,
    asked: asked[i]!,
    isApproved: Boolean(status.conditions),
    certificate: status.certificate as string | undefined,
  }));
}

/** Approves all requests without a check. */
async function approveEverything(...as: string[]): Promise<void> {
  const pending = (await requests()).filter(({ isApproved }) => !isApproved);
  if (pending.length > 0) await lab.kubectl("certificate", "approve", ...pending.map(({ name }) => name), ...as);
}

const mode = (settings: object) =>
  lab.configure((all) => {
    all["tls-bootstrap:servingCertificates"] = settings;
  });

beforeAll(bringUpVerifyingApiServer);

afterAll(async () => {
  await lab.run("destroy");
  await removeVerifyingApiServer();
});

it("a declared node cannot request a serving certificate when the stack issues them", async () => {
  await lab.operate("deploy");
  const address = (await lab.facts()).workers[0].address;
  expect(await ask("worker-1", `worker-1 worker-1 ${address}`)).toContain(
    "system:node:worker-1 gets its serving certificate from whoever declared it, and asks the cluster for none",
  );
});

describe("serving certificates that are approved by hand", () => {
  it("are requested by the kubelets, and signed by the CA of the cluster", async () => {
    await mode({ mode: "manual" });
    await lab.operate("deploy");
    expect(await lab.json("output")).toMatchObject({ approveServing: expect.stringContaining("certificate approve") });
    await trust(await clusterCa());
    for (const worker of TWO) expect(await lab.shell(worker, "ls /etc/kubernetes/pki")).toBe("ca.crt\n");
    await eventually(async () => expect((await requests()).map(({ by }) => by).sort()).toEqual(TWO.map(userOf)), 120);
    await startPods(...TWO);
    expect((await lab.run("kubectl", "logs", "on-worker-1")).stderr).toContain("remote error: tls: internal error");
    await approveEverything();
    await expectLogsAndExec(...TWO);
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });

  it("are never issued for another name or address, even when every request is approved", async () => {
    const [own, other] = (await lab.facts()).workers.map(({ address }) => address);
    for (const line of [
      `worker-1 worker-1 ${other}`,
      "worker-1 worker-1 10.96.0.1",
      `worker-1 kubernetes.default.svc ${own}`,
      `worker-1 worker-1 kubernetes ${own}`,
      `worker-1 worker-1 ${own} ${other}`,
      `worker-1 worker-1`,
      `worker-1 ${own}`,
      `worker-2 worker-2 ${other}`,
      `worker-2 worker-1 ${own}`,
      `master-1 worker-1 ${own}`,
    ])
      expect([line, await ask("worker-1", line)]).toEqual([
        line,
        expect.stringMatching(
          // The second is the answer of Kubernetes itself to another node's name.
          /may ask for a serving certificate as its kubelet does, for DNS:worker-1, IP:[0-9.]+ only|can only create a node CSR with CN=system:node:worker-1/,
        ),
      ]);
    expect(await ask("worker-1", `worker-1 worker-1 ${own}`)).toMatch(/^certificatesigningrequest\S* *\n$/);
    await approveEverything();
    await eventually(async () => {
      const all = await requests();
      expect(all.filter(({ certificate }) => !certificate)).toEqual([]);
      for (const { by, asked } of all) {
        const node = by.replace("system:node:", "");
        const { address } = (await lab.facts()).workers.find(({ name }) => name === node)!;
        expect(asked).toEqual({ commonName: by, dns: [node], ips: [address] });
      }
    }, 30);
  });

  it("can still be requested by undeclared nodes, but not with a bootstrap token", async () => {
    const file = await lab.writeManifest(requestOf("master-1 master-1 10.0.0.1"));
    const create = (...as: string[]) => lab.run("kubectl", "create", "-f", file, "--dry-run=server", ...as);
    expect((await create("--as=system:node:master-1", "--as-group=system:nodes")).status).toBe(0);
    const masters = "--as-group=system:masters"; // may do everything, so that only the policy refuses
    expect((await create("--as=system:bootstrap:abc123", masters)).stderr).toContain(
      "a bootstrap token is not for serving certificates",
    );
  });
});

describe("the approver", () => {
  it("runs, and may approve serving certificates only", async () => {
    await mode({ mode: "approver" });
    await lab.operate("deploy");
    expect(changes(await lab.operate("preview"))).toEqual([]);
    await eventually(async () => {
      const { items } = await lab.get<{ items: any[] }>("pods", "-n", "kube-system");
      expect(items.map(({ spec }) => spec.containers[0].image)).toEqual([expect.stringContaining("@sha256:")]);
    });
    const as = "--as=system:serviceaccount:kube-system:tls-bootstrap-lab-csr-approver";
    const [own] = (await lab.facts()).workers.map(({ address }) => address);
    const name = (await ask("worker-1", `worker-1 worker-1 ${own}`)).trim().split(/[/ ]/)[1];
    await approveEverything(as);
    await eventually(async () =>
      expect((await requests()).find((request) => request.name === name)?.certificate).toBeTruthy(),
    );
    await expectLogsAndExec("worker-1");
    const [client] = (await lab.get<{ items: any[] }>("csr")).items.filter(({ spec }) => spec.signerName !== SIGNER);
    const { stderr } = await lab.run("kubectl", "certificate", "approve", "--force", client.metadata.name, as);
    expect(stderr).toContain("forbidden");
  });

  it("is removed with its mode, and the stack issues the certificates again", async () => {
    await mode({ mode: "issued" });
    await lab.operate("deploy");
    await trust(await servingCa());
    await expectLogsAndExec(...TWO);
    const objects = await lab.kubectl("get", "deployments,serviceaccounts", "-n", "kube-system", "-o", "name");
    expect(objects).not.toContain("approver");
    expect(changes(await lab.operate("preview"))).toEqual([]);
  });
});
