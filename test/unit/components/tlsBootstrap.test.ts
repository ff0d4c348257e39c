import * as pulumi from "@pulumi/pulumi";
import { TlsBootstrap, type TlsBootstrapArgs } from "../../../components";
import { BASTION_KEY, CA, ED25519, ED25519_OTHER, SSH_KEY } from "../fixtures";
import { COMMAND, declareTlsBootstrap, findTokenClock, ONE_WORKER, poolWith } from "./oneWorker";
import { Program, unboxed, valueOf } from "./program";

const NODE = "kubernetes:core/v1:Node";
const NODE_PATCH = "kubernetes:core/v1:NodePatch";

const ssh = { user: "debian", privateKey: SSH_KEY };
const declare = (args: Partial<TlsBootstrapArgs> = {}) => declareTlsBootstrap({ ssh, ...args });

describe("TlsBootstrap with one worker", () => {
  it("declares the cluster objects, a Node and five commands", async () => {
    const { program } = await declare();
    expect(program.listing()).toEqual([
      "command:remote:Command t-worker-1-host",
      "command:remote:Command t-worker-1-join",
      "command:remote:Command t-worker-1-kubelet",
      "command:remote:Command t-worker-1-leave",
      "command:remote:Command t-worker-1-serving",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-names",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-worker-ready",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-worker-serving",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-names",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-worker-serving",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-worker-token-ready-nodes",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBindingPatch t-worker-token-ready-nodes-released",
      "kubernetes:core/v1:ConfigMapPatch t-test-cluster-info",
      "kubernetes:core/v1:ConfigMapPatch t-test-cluster-info-existing",
      "kubernetes:core/v1:Node t-worker-1-node",
      "kubernetes:core/v1:NodePatch t-worker-1-labels",
      "kubernetes:core/v1:Secret t-worker-token",
      "kubernetes:core/v1:SecretPatch t-worker-token-revoked",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding t-test-approve-first-certificates",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding t-test-approve-renewals",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding t-test-create-csrs",
      "kubernetes:rbac.authorization.k8s.io/v1:Role t-test-cluster-info-read",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding t-test-cluster-info-read-anonymously",
      "random:index/randomPassword:RandomPassword t-worker-token-secret",
      "random:index/randomString:RandomString t-worker-token-id",
      "tls-bootstrap:index:BootstrapToken t-worker-token",
      "tls-bootstrap:index:ClusterInfo t-test-cluster-info",
      "tls-bootstrap:index:JoinPolicy t-test",
      "tls-bootstrap:index:NodeBootstrapRbac t-test",
      "tls-bootstrap:index:ServingCa t-serving-ca",
      "tls-bootstrap:index:ServingPolicy t-test",
      "tls-bootstrap:index:TlsBootstrap t",
      "tls-bootstrap:index:Worker t-worker-1",
      "tls-bootstrap:index:WorkerPool t-worker",
      "tls:index/locallySignedCert:LocallySignedCert t-worker-1-serving-certificate",
      "tls:index/privateKey:PrivateKey t-serving-ca-key",
      "tls:index/privateKey:PrivateKey t-worker-token-clock-key",
      "tls:index/selfSignedCert:SelfSignedCert t-serving-ca",
      "tls:index/selfSignedCert:SelfSignedCert t-worker-token-clock",
    ]);
  });

  it("runs short commands without secrets, with sudo for a user other than root", async () => {
    const { program } = await declare();
    const texts = (step: string) => {
      const { inputs } = program.find(COMMAND, `t-worker-1-${step}`);
      return [inputs.create, inputs.update, inputs.delete] as unknown[];
    };
    const run = "/opt/tls-bootstrap/scripts/run.sh";
    const script = (word: string) =>
      `sudo -n /bin/sh -c : 2>/dev/null && exec sudo -n /bin/sh -s ${word}; exec /bin/sh -s ${word}`;
    expect(texts("host")).toEqual([script("create"), script("update"), undefined]);
    expect(texts("kubelet")).toEqual([`exec sudo -n ${run} kubelet apply`, undefined, undefined]);
    expect(texts("serving")).toEqual([`exec sudo -n ${run} serving apply`, undefined, undefined]);
    expect(texts("join")).toEqual([`exec sudo -n ${run} join`, undefined, undefined]);
  });

  it("leaves by one command of a resource of its own, for its own node only", async () => {
    const { program } = await declare();
    const { create, update, delete: leave, stdin } = program.find(COMMAND, "t-worker-1-leave").inputs;
    // A mock's URN has the parents but the first one.
    const parents = ["WorkerPool", "Worker"].map((type) => `tls-bootstrap:index:${type}`).join("$");
    const urn = `urn:pulumi:test::t::${parents}::t-worker-1`;
    expect([create, update, leave]).toEqual([
      undefined,
      undefined,
      `exec sudo -n /bin/sh -c '[ -e /etc/tls-bootstrap ] || exit 0; exec /opt/tls-bootstrap/scripts/run.sh leave'`,
    ]);
    expect(stdin).toBe(`${urn}\n`);
    for (const step of ["host", "kubelet"])
      expect(program.find(COMMAND, `t-worker-1-${step}`).inputs.stdin).toContain(`\nOWNER='${urn}'\n`);
  });

  it("that is lost has nothing but a way to leave that needs no SSH", async () => {
    const { program } = await declare(poolWith({ lost: true }));
    const names = program.resources.filter(({ name }) => name.startsWith("t-worker-1")).map(({ name }) => name);
    expect(names).toEqual(["t-worker-1", "t-worker-1-leave"]);
    expect(program.find(COMMAND, "t-worker-1-leave").inputs.delete).toBeUndefined();
    const policy = JSON.stringify(
      program.find("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy", "t-test-names").inputs,
    );
    expect(policy).not.toContain("worker-1");
  });

  it("runs no sudo for root", async () => {
    const { program } = await declare({ ssh: { privateKey: SSH_KEY } });
    expect(program.find(COMMAND, "t-worker-1-host").inputs.create).toBe("exec /bin/sh -s create");
  });

  it("pins the host key, and leaves it to a hook to wait for a VM that is booting", async () => {
    const bastion = { host: "jump", hostKey: ED25519_OTHER, user: "jump", privateKey: BASTION_KEY };
    const program = new Program({}, true);
    await declareTlsBootstrap({ ssh: { ...ssh, port: 2222, bastion } }, program);
    for (const step of ["host", "leave", "serving", "kubelet", "join"]) {
      const { connection, ...inputs } = program.find(COMMAND, `t-worker-1-${step}`).inputs;
      const dialErrorLimit = step === "leave" ? 8 : 0;
      expect(unboxed(connection)).toEqual({
        host: "10.0.1.11",
        port: 2222,
        user: "debian",
        hostKey: ED25519,
        privateKey: SSH_KEY,
        dialErrorLimit,
        perDialTimeout: 15, // seconds; the provider's default
        proxy: {
          host: "jump",
          port: 22,
          user: "jump",
          hostKey: ED25519_OTHER,
          privateKey: BASTION_KEY,
          dialErrorLimit,
          perDialTimeout: 15,
        },
      });
      const { hooks } = program.optionsOf(COMMAND, `t-worker-1-${step}`);
      expect(hooks?.onError?.map((hook) => hook.name)).toEqual(["t-worker-1-ssh"]);
      expect(inputs.environment).toBeUndefined();
      expect(inputs.addPreviousOutputInEnv).toBe(false);
    }
  });

  it("shows the kubelet's files in the preview, and keeps the token secret", async () => {
    const { program } = await declare(poolWith({ kubelet: { maxPods: 42 } }));
    const files = program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;
    expect(files).toContain("file 0600 /var/lib/kubelet/config.yaml kubelet <<");
    expect(files).toContain("\nmaxPods: 42\n");
    expect(files).toContain("file 0600 /etc/systemd/system/kubelet.service kubelet <<");
    expect(files).toContain(`file 0644 /etc/kubernetes/pki/ca.crt kubelet <<'END-OF-FILE'\n${CA}`);
    expect(unboxed(program.find(COMMAND, "t-worker-1-join").inputs.stdin)).toContain(
      "token: abc123.s3cr3ts3cr3ts3cr\n",
    );
  });

  it("still shows the files when the cluster argument also holds a secret", async () => {
    const cluster = { ...ONE_WORKER.cluster, kubeconfig: pulumi.secret("ADMIN") };
    const { program } = await declare({ cluster });
    expect(typeof program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin).toBe("string");
    expect(program.find("kubernetes:core/v1:ConfigMapPatch", "t-test-cluster-info").inputs.data.kubeconfig).toContain(
      "clusters:",
    );
  });

  it("tells the later of two workers with one machine-id which worker has it already", async () => {
    const other = { name: "worker-2", address: "10.0.1.12", hostKey: ED25519_OTHER };
    const { program } = await declare({
      pools: [ONE_WORKER.pools[0], { name: "more", workers: [other] }],
    });
    const stdin = (name: string) => unboxed(program.find(COMMAND, `${name}-join`).inputs.stdin) as string;
    expect(stdin("t-worker-1").split("\n")[0]).toBe("apiVersion: v1");
    // Every mocked host has the same machine-id.
    expect(stdin("t-worker-2").split("\n").slice(0, 2)).toEqual(["# machine 0a is worker-1", "apiVersion: v1"]);
  });

  it("does not change a joined node for a new token", async () => {
    const { program } = await declare();
    expect(program.optionsOf(COMMAND, "t-worker-1-join")).toMatchObject({ ignoreChanges: ["stdin"] });
  });

  it("replaces all steps for another machine, and only the join for a raised generation", async () => {
    const { program } = await declare(poolWith({ generation: 7, machine: "i-2" }));
    const options = (step: string) => program.optionsOf(COMMAND, `t-worker-1-${step}`);
    const triggers = (step: string) => program.find(COMMAND, `t-worker-1-${step}`).inputs.triggers as unknown;
    expect(triggers("host")).toEqual([`10.0.1.11 ${ED25519} i-2`]);
    // The old machine leaves. A new disk, and so another host key or id at the same address, has nothing to leave.
    expect(triggers("leave")).toEqual(["10.0.1.11"]);
    expect(options("leave")).toMatchObject({ deleteBeforeReplace: true });
    expect(triggers("serving")).toEqual(["t-worker-1-host-id"]);
    expect(triggers("kubelet")).toEqual(["t-worker-1-host-id"]);
    expect(triggers("join")).toEqual(["t-worker-1-kubelet-id"]);
    expect(options("join")).toMatchObject({ replacementTrigger: 7 });
  });

  it("declares the Node with role, labels and taints of pool and worker", async () => {
    const { program } = await declare(
      poolWith(
        { labels: { rack: "r2", disk: "ssd" }, taints: [{ key: "own", effect: "NoExecute" }] },
        { labels: { rack: "r1", zone: "a" }, taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }] },
      ),
    );
    const annotations = { "pulumi.com/patchForce": "true" };
    expect(program.find(NODE, "t-worker-1-node").inputs).toMatchObject({
      metadata: { name: "worker-1", labels: { "node-restriction.kubernetes.io/tls-bootstrap": "t-test" }, annotations },
      spec: {
        taints: [
          { key: "dedicated", value: "batch", effect: "NoSchedule" },
          { key: "own", effect: "NoExecute" },
        ],
      },
    });
    expect(program.find(NODE_PATCH, "t-worker-1-labels").inputs).toMatchObject({
      metadata: {
        name: "worker-1",
        labels: { "node-role.kubernetes.io/worker": "", rack: "r2", zone: "a", disk: "ssd" },
        annotations,
      },
    });
  });

  it("outputs the receipt, parsed and in plain text", async () => {
    const { result } = await declare();
    expect(await valueOf(result.receipts)).toEqual({
      "worker-1": {
        node: "worker-1",
        kubeletVersion: "v1.34.4",
        runtime: "preinstalled",
        certificate: {
          subject: "O=system:nodes, CN=system:node:worker-1",
          issuer: "CN=kubernetes-ca",
          notAfter: "2126-10-29T13:56:22.000Z",
        },
        configHash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        notes: ["a note"],
        ms: { token: 90, certificate: 800, ready: 700, total: 1590 },
      },
    });
    expect(await valueOf(result.tokens)).toEqual({
      worker: { id: "abc123", expires: "2026-01-02T04:04:05Z", scaleGroup: false },
    });
  });

  it("declares no cluster-info when it is off, and tokens that sign nothing", async () => {
    const { program, result } = await declare({ clusterInfo: "off" });
    expect(program.listing().filter((line) => /cluster-info|ClusterInfo/.test(line))).toEqual([]);
    expect(await valueOf(result.clusterInfoKubeconfig)).toBeUndefined();
    const secret = unboxed(program.find("kubernetes:core/v1:Secret", "t-worker-token").inputs.stringData);
    expect(secret["usage-bootstrap-signing"]).toBe("false");
  });

  it("tells the host which command mints a new token", async () => {
    const { program } = await declare();
    const files = program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;
    expect(files).toContain(`MINT_COMMAND='pulumi up --replace "**::t-worker-token-clock"'\n`);
    expect(findTokenClock(program).name).toBe("t-worker-token-clock");
  });

  it("tells the host which policy it must prove", async () => {
    const policy = async (changes: Partial<TlsBootstrapArgs>) => {
      const { program } = await declare(changes);
      const files = program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;
      return { told: /^JOIN_POLICY='(.*)'$/m.exec(files)?.[1], listing: program.listing().join("\n") };
    };
    const { told, listing } = await policy({});
    expect(told).toBe("t-test-names");
    expect(listing).toContain(`ValidatingAdmissionPolicyBinding ${told}`);
    expect((await policy({ joinPolicy: "off" })).told).toBe("off");
  });
});

describe("arguments", () => {
  it("are checked together before anything is declared", async () => {
    const program = new Program();
    const bad = {
      pools: [{ name: "Pool", workers: [{ name: "W", address: "10.0.0.1", hostKey: "" }], kubelet: { port: 0 } }],
      kubernetesVersion: "1.34",
      runtime: { type: "package", runc: {} } as const,
      binDir: "bin",
    };
    await expect(program.run((opts) => new TlsBootstrap("t", { ...ONE_WORKER, ...bad }, opts))).rejects.toThrow(
      [
        "TlsBootstrap 't': 7 problems",
        "  kubernetesVersion: '1.34' is not a version such as 1.37.2 (no leading 'v')",
        "  binDir: 'bin' is not an absolute path of a folder: letters, digits, '/', '-', '_' and '.'",
        "  runtime.runc: is not a setting",
        "  pools[0].name: 'Pool' is not a pool name: a-z, 0-9 and '-', at most 63 characters, no '-' at either end",
        "  pools[0].workers[0].name: 'W' has upper-case letters; a node name is lower case",
        "  pools[0].workers[0].hostKey: '' is not a host key: 'ssh-ed25519 AAAA…' or 'ecdsa-sha2-nistp256 AAAA…', as in /etc/ssh/ssh_host_ed25519_key.pub",
        "  pools[0].kubelet.port: '0' must be between 1 and 65535",
      ].join("\n"),
    );
    expect(program.listing()).toEqual([]);
  });

  it("leave no secret in the state of a component", async () => {
    const { program } = await declare();
    const components = program.resources.filter(({ type }) => type.startsWith("tls-bootstrap:"));
    expect(components).toHaveLength(9);
    expect(JSON.stringify(components)).not.toContain("PRIVATE KEY");
    expect(JSON.stringify(components)).not.toContain("s3cr3t");
  });
});
