import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeRequests } from "../../requests/goRequests";
import { Api, liveTokens } from "../api";
import { hostOf } from "../bareWorkers";
import {
  configure,
  connectWithCertificate,
  environment,
  execute,
  lab,
  NODES,
  outputs,
  page,
  paths,
  program,
  setUp,
  shell,
  start,
  tearDown,
  VICTIM,
  workersOf,
} from "../incidentPage";
import { CLIENT_CERTIFICATE } from "../bareHost";
import { podOn } from "../pods";
import { PoolSettings } from "../poolSettings";
import { eventually } from "../testLab";

/**
 * Executes docs/incidents.md block by block. The test fills in the variables of the blocks, and does what the page says in words. Each test
 * builds on the tests before it.
 */
const { bind } = new PoolSettings(lab);
jest.setTimeout(600_000);

/** The name of the stolen machine afterwards. */
const REIMAGED = "worker-6";

beforeAll(setUp);
afterAll(tearDown);

describe("a bootstrap token", () => {
  const listed = async (description: string) =>
    (await execute("kubectl get secrets")).split("\n").flatMap((line) => {
      const [id, expiration, ...words] = line.split(" ");
      return words.join(" ") === description ? [{ id, isRevoked: expiration.startsWith("9999") }] : [];
    });

  const isRefused = (api: Api) => eventually(async () => expect(await api.isAccepted()).toBe(false), 15);

  it("of a scale group is revoked and replaced, and its requests are found", async () => {
    const stolen = new Api((await outputs()).bootstrapKubeconfigs.burst);
    expect((await stolen.askFor(makeRequests(["burst-7"])[0][0])).status).toBe(201);
    const [{ id, isRevoked }, ...others] = await listed("tls-bootstrap: joins machines of scale group burst");
    expect([isRevoked, others]).toEqual([false, []]);
    await execute("kubectl delete secret", { id });
    await isRefused(stolen);
    expect(await execute("kubectl get csr")).toMatch(
      /^asked-\S+: subject=O ?= ?system:nodes, CN ?= ?system:node:burst-7$/m,
    );
    await execute("token-clock", { name: "burst" });
    const current = new Api((await outputs()).bootstrapKubeconfigs.burst);
    expect([await current.isAccepted(), current.token === stolen.token]).toEqual([true, false]);
  });

  it("of a pool with a failed join is revoked and replaced, and the worker joins", async () => {
    await bind("approve-first-certificates", "system:somebody-else");
    const { address, hostKey } = await hostOf(lab, "worker-3");
    await configure((settings) => workersOf(settings).push({ name: "worker-3", address, hostKey }));
    await expect(shell("pulumi up")).rejects.toThrow("would not be approved");
    await bind("approve-first-certificates", "system:bootstrappers:tls-bootstrap-lab:worker");

    const tokens = await listed("tls-bootstrap: joins workers of pool worker");
    const [{ id }, ...others] = tokens.filter(({ isRevoked }) => !isRevoked);
    expect(others).toEqual([]);
    const [{ data }] = (await liveTokens(lab)).filter(({ metadata }) => metadata.name === `bootstrap-token-${id}`);
    const { worker } = (await outputs()).bootstrapKubeconfigs;
    const stolen = new Api(worker.replace(/token: .*/, `token: ${id}.${atob(data["token-secret"])}`));
    expect(await stolen.isAccepted()).toBe(true);

    await execute("kubectl delete secret", { id });
    await isRefused(stolen);
    await execute("token-clock", { name: "worker" });
    expect(await lab.isReady("worker-3")).toBe(true);
  });
});

describe("a node's key", () => {
  let stolen: Api;
  const STATUS = `/api/v1/nodes/${VICTIM}/status`;
  const SECRET = "/api/v1/namespaces/default/secrets/used";
  const status = async (method: string, path: string, body?: object) => (await stolen.call(method, path, body)).status;

  /** The answers to what a kubelet may write. */
  const writes = async () => [
    await status("PATCH", STATUS, { metadata: { annotations: { stolen: "yes" } } }),
    (await stolen.askFor(makeRequests([VICTIM])[0][0])).status,
    await status("POST", "/api/v1/namespaces/default/serviceaccounts/default/token?dryRun=All", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: await boundToPod(),
    }),
    await status("DELETE", `/api/v1/namespaces/default/pods/on-${VICTIM}?dryRun=All`),
  ];

  const boundToPod = async () => {
    const { uid } = (await lab.get<any>("pod", `on-${VICTIM}`)).metadata;
    return { audiences: null, boundObjectRef: { kind: "Pod", apiVersion: "v1", name: `on-${VICTIM}`, uid } };
  };

  it("writes and reads as the node", async () => {
    await lab.kubectl("create", "secret", "generic", "used", "--from-literal=a=b");
    await start(
      podOn(VICTIM, { volumes: [{ name: "used", secret: { secretName: "used" } }] }),
      ...NODES.map((node) => podOn(node)),
    );
    stolen = await connectWithCertificate(await lab.exec(VICTIM, "cat", CLIENT_CERTIFICATE));
    expect(await writes()).toEqual([200, 201, 201, 200]);
    expect(await status("GET", SECRET)).toBe(200);
  });

  it("writes nothing more once the policy is there", async () => {
    await execute("kind: ValidatingAdmissionPolicyBinding", { node: VICTIM });
    await eventually(async () => expect(await writes()).toEqual([422, 422, 422, 422]), 15);
    const { body } = await stolen.askFor(makeRequests([VICTIM])[0][0]);
    expect(body.message).toContain("the key of this node was stolen");
    expect(await status("GET", SECRET)).toBe(200);
    await execute("kubectl wait node");
    for (const node of NODES) expect(await lab.isReady(node)).toBe(true);
  });

  it("reads no Secret once the Node and its pods are gone", async () => {
    await configure((settings) => {
      workersOf(settings).find(({ name }) => name === VICTIM).lost = true;
    });
    await execute("deletes the Node");
    expect(await lab.isReady(VICTIM)).toBeUndefined();
    await execute("kubectl delete pods");
    await eventually(async () => expect(await status("GET", SECRET)).toBe(403), 15);
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: VICTIM } };
    expect(await status("POST", "/api/v1/nodes", node)).toBe(422);
  });

  it("does not prevent the reimaged VM from joining under another name", async () => {
    await lab.out("up", "--workers", "4");
    await lab.out("up", "--workers", "5");
    const { address, hostKey } = await hostOf(lab, VICTIM);
    await configure((settings) => {
      const others = workersOf(settings).filter(({ name }) => name !== VICTIM);
      settings["tls-bootstrap:pools"][0].workers = [...others, { name: REIMAGED, address, hostKey }];
    });
    await shell("pulumi up");
    expect(await lab.isReady(REIMAGED)).toBe(true);
    await execute("kubectl delete validatingadmissionpolicy");
    expect(await lab.kubectl("get", "validatingadmissionpolicies", "-o", "name")).not.toContain("stolen");
  });
});

describe("the SSH key", () => {
  it("is replaced without a restart of a kubelet, and the old one is refused", async () => {
    const machines = [...NODES, "worker-3", VICTIM];
    const addresses = await Promise.all(machines.map(async (name) => (await hostOf(lab, name)).address));
    await execute("ssh-keygen -q", { user: "admin", vms: addresses.join(" ") });
    expect(await execute("journalctl")).toContain("Accepted publickey for admin");

    const pids = () => Promise.all(machines.map((name) => lab.kubeletPid(name)));
    const [before, sessions] = [await pids(), await lab.allSessions(machines)];
    const text = await execute("tls-bootstrap:ssh.privateKey' < new_key");
    // Four steps, and the leave, which opens no session.
    expect(text.match(/connection: \[secret\] => \[secret\]/g)).toHaveLength(5 * machines.length);
    expect(text).toMatch(new RegExp(`~ ${5 * machines.length} to update\n +\\d+ unchanged`));
    expect(await pids()).toEqual(before);
    const after = await lab.allSessions(machines);
    for (const name of machines) expect([name, after[name] - sessions[name]]).toEqual([name, 4]);

    await execute("sed -i");
    const refused = await execute("BatchMode=yes");
    expect(refused.match(/Permission denied \(publickey/g)).toHaveLength(machines.length);
    expect(refused).not.toContain("still accepts");
    expect(await shell("pulumi preview --expect-no-changes")).toContain("unchanged");
  });
});

describe("the serving CA's key", () => {
  const FILE = "/etc/kubernetes/pki/kubelet-serving.crt";
  let old: string;
  const trusted = () => join(paths.folder, "kubelet-ca.crt");

  /** Gives the API server a file with CAs, as the page says in words. */
  async function trust(file: string): Promise<void> {
    await cp(join(program, file), trusted());
    await lab.out("restart", "kube-apiserver");
  }

  async function expectLogsAndExec(): Promise<void> {
    for (const node of NODES)
      await eventually(async () => {
        expect(await lab.kubectl("logs", `on-${node}`)).toBe("a line\n");
        expect(await lab.kubectl("exec", `on-${node}`, "--", "echo", "done")).toBe("done\n");
      });
  }

  /** Makes the kubelet of worker-1 show a certificate. */
  const show = (certificate: string) =>
    lab.shell("worker-1", `cat >${FILE} <<'END'\n${certificate.trim()}\nEND\nsystemctl restart kubelet`);

  /** Calls logs and exec of the nodes again and again. Returns the errors, and the longest time without an answer, in milliseconds. */
  async function watchLogs(during: () => Promise<unknown>) {
    const watched = { errors: [] as string[], longest: 0 };
    let isOver = false;
    const watch = async (node: string) => {
      for (let last = Date.now(); !isOver;)
        for (const args of [
          ["logs", `on-${node}`],
          ["exec", `on-${node}`, "--", "true"],
        ]) {
          const { status, stderr } = await lab.run("kubectl", ...args);
          if (status !== 0) watched.errors.push(stderr);
          else watched.longest = Math.max(watched.longest, Date.now() - last);
          if (status === 0) last = Date.now();
        }
    };
    const watches = NODES.map(watch);
    await during();
    isOver = true;
    await Promise.all(watches);
    return watched;
  }

  it("is replaced, and logs and exec work in every step", async () => {
    await writeFile(trusted(), (await outputs()).servingCa);
    await lab.out("up", "--flag", `kube-apiserver=--kubelet-certificate-authority=${trusted()}`);
    await expectLogsAndExec();
    old = await lab.exec("worker-1", "cat", FILE);

    await execute("openssl req -x509");
    await trust("kubelet-ca.crt");
    await expectLogsAndExec();

    const { errors, longest } = await watchLogs(() => execute("servingCertificates.ca.key"));
    expect(errors.filter((error) => /x509|certificate/.test(error))).toEqual([]);
    expect(longest).toBeLessThan(30_000);
    await expectLogsAndExec();
    for (const node of NODES)
      expect((await lab.get<any>("pod", `on-${node}`)).status.containerStatuses[0].restartCount).toBe(0);
  });

  it("signs nothing that the API server accepts, once it has the new CA alone", async () => {
    const current = await lab.exec("worker-1", "cat", FILE);
    await show(old);
    await expectLogsAndExec();
    await trust("new-ca.crt");
    await eventually(async () => {
      const { status, stderr } = await lab.run("kubectl", "logs", "on-worker-1");
      expect([status === 0, stderr]).toEqual([false, expect.stringContaining("x509: certificate signed by unknown")]);
    });
    await show(current);
    await expectLogsAndExec();
    expect(await execute("kubectl logs", { pod: "on-worker-1" })).toContain("a line\n");
    expect(await shell("pulumi preview --expect-no-changes")).toContain("unchanged");
  });
});

describe("the state", () => {
  it("gets another passphrase, and the old one is refused", async () => {
    expect(await execute("change-secrets-provider")).toContain("unchanged");
    const oldPassphrase = environment.PULUMI_CONFIG_PASSPHRASE_FILE;
    await expect(shell(`PULUMI_CONFIG_PASSPHRASE_FILE='${oldPassphrase}' pulumi preview`)).rejects.toThrow(
      "incorrect passphrase",
    );
  });

  it("gets the kubeconfig of another administrator, and nothing in the cluster changes", async () => {
    await shell(KUBECONFIG_OF_ANOTHER);
    const text = await execute("cluster.kubeconfig", { kubeconfig: "new-admin.conf" });
    const changed = text.matchAll(/^ [-+~]+ +(\S+ \S+) (?:updat|creat|delet|replac)ed/gm);
    expect([...changed].map(([, resource]) => resource)).toEqual(["pulumi:providers:kubernetes cluster"]);
    await shell("pulumi refresh");
    expect(await shell("kubectl --kubeconfig new-admin.conf auth whoami")).toContain("another-admin");
  });
});

it("has no block that was not executed", () => {
  expect(page.blocks.filter((block) => !page.executed.has(block))).toEqual([]);
});

/** Writes new-admin.conf, a kubeconfig of another cluster administrator. */
const KUBECONFIG_OF_ANOTHER = `
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=another-admin -keyout admin.key -out admin.csr
kubectl apply -f - <<END
{ "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": "another-admin" },
  "spec": { "request": "$(base64 -w0 admin.csr)", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"] } }
END
kubectl certificate approve another-admin
kubectl create clusterrolebinding another-admin --clusterrole=cluster-admin --user=another-admin
until kubectl get csr another-admin -o jsonpath='{.status.certificate}' | base64 -d >admin.crt && [ -s admin.crt ]; do sleep 0.2; done
cp "$KUBECONFIG" new-admin.conf
user=$(kubectl config view -o jsonpath='{.users[0].name}')
kubectl --kubeconfig new-admin.conf config set-credentials "$user" --client-certificate=admin.crt --client-key=admin.key --embed-certs
`;
