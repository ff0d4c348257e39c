import * as pulumi from "@pulumi/pulumi";
import { JoinPolicy, TlsBootstrap, type TlsBootstrapArgs } from "../../../components";
import { namePatterns } from "../../../components/admission/csrPattern";
import { BASTION_KEY, CA, ED25519, ED25519_OTHER, SSH_KEY } from "../fixtures";
import { Program, type Registered, unboxed, valueOf } from "./program";

const COMMAND = "command:remote:Command";
const NODE = "kubernetes:core/v1:Node";

const base: TlsBootstrapArgs = {
  cluster: { server: "https://10.0.0.1:6443", ca: CA },
  kubernetesVersion: "1.34.4",
  ssh: { user: "debian", privateKey: SSH_KEY },
  pools: [{ name: "worker", workers: [{ name: "worker-1", address: "10.0.1.11", hostKey: ED25519 }] }],
};

const declare = async (args: Partial<TlsBootstrapArgs> = {}) => {
  const program = new Program();
  const result = await program.run((opts) => new TlsBootstrap("t", { ...base, ...args }, opts));
  return { program, result };
};

const pool = (worker: object, more: object = {}): Partial<TlsBootstrapArgs> => ({
  pools: [{ ...base.pools[0], ...more, workers: [{ ...base.pools[0].workers[0], ...worker }] }],
});

const clockOf = ({ resources }: Program): Registered =>
  resources.find(({ type, name }) => type.includes("selfSignedCert") && name.endsWith("-clock"))!;

describe("TlsBootstrap with one worker", () => {
  it("declares the cluster's side, a Node and four commands", async () => {
    const { program } = await declare();
    expect(program.listing()).toEqual([
      "command:remote:Command t-worker-1-host",
      "command:remote:Command t-worker-1-join",
      "command:remote:Command t-worker-1-kubelet",
      "command:remote:Command t-worker-1-serving",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-fixed-annotation",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-not-ready",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-worker-names",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy t-test-worker-serving",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-fixed-annotation",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-not-ready",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-worker-names",
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding t-test-worker-serving",
      "kubernetes:core/v1:ConfigMapPatch t-test-cluster-info",
      "kubernetes:core/v1:ConfigMapPatch t-test-cluster-info-existing",
      "kubernetes:core/v1:Node t-worker-1-node",
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
      "tls-bootstrap:index:ServingCertificate t-worker-1-serving",
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

  it("runs short commands that hold no secret, with sudo for a user who is not root", async () => {
    const { program } = await declare();
    const texts = (step: string) => {
      const { inputs } = program.find(COMMAND, `t-worker-1-${step}`);
      return [inputs.create, inputs.update, inputs.delete] as unknown[];
    };
    const run = "/opt/tls-bootstrap/scripts/run.sh";
    expect(texts("host")).toEqual([
      "sudo -n /bin/sh -c : 2>/dev/null && exec sudo -n /bin/sh -s; exec /bin/sh -s",
      undefined,
      `if [ -e ${run} ]; then exec sudo -n ${run} host remove; fi`,
    ]);
    expect(texts("kubelet")).toEqual([
      `exec sudo -n ${run} kubelet apply`,
      undefined,
      `if [ -e ${run} ]; then exec sudo -n ${run} kubelet remove; fi`,
    ]);
    expect(texts("serving")).toEqual([
      `exec sudo -n ${run} serving apply`,
      undefined,
      `if [ -e ${run} ]; then exec sudo -n ${run} serving remove; fi`,
    ]);
    expect(texts("join")).toEqual([
      `exec sudo -n ${run} join`,
      undefined,
      `if [ -e ${run} ]; then exec sudo -n ${run} leave; fi`,
    ]);
  });

  it("needs no sudo as root", async () => {
    const { program } = await declare({ ssh: { privateKey: SSH_KEY } });
    expect(program.find(COMMAND, "t-worker-1-host").inputs.create).toBe("exec /bin/sh -s");
  });

  it("pins the host key and waits for a VM that still boots", async () => {
    const bastion = { host: "jump", hostKey: ED25519_OTHER, user: "jump", privateKey: BASTION_KEY };
    const { program } = await declare({ ssh: { ...base.ssh, port: 2222, bastion } });
    for (const step of ["host", "serving", "kubelet", "join"]) {
      const { connection, ...inputs } = program.find(COMMAND, `t-worker-1-${step}`).inputs;
      expect(unboxed(connection)).toEqual({
        host: "10.0.1.11",
        port: 2222,
        user: "debian",
        hostKey: ED25519,
        privateKey: SSH_KEY,
        dialErrorLimit: 30,
        perDialTimeout: 15, // seconds; the provider's default
        proxy: {
          host: "jump",
          port: 22,
          user: "jump",
          hostKey: ED25519_OTHER,
          privateKey: BASTION_KEY,
          dialErrorLimit: 30,
          perDialTimeout: 15,
        },
      });
      expect(inputs.environment).toBeUndefined();
      expect(inputs.addPreviousOutputInEnv).toBe(false);
    }
  });

  it("shows the kubelet's files in the preview, and the token only as a secret", async () => {
    const { program } = await declare(pool({ kubelet: { maxPods: 42 } }));
    const files = program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;
    expect(files).toContain("file 0600 /var/lib/kubelet/config.yaml kubelet <<");
    expect(files).toContain("\nmaxPods: 42\n");
    expect(files).toContain("file 0600 /etc/systemd/system/kubelet.service kubelet <<");
    expect(files).toContain(`file 0644 /etc/kubernetes/pki/ca.crt kubelet <<'END-OF-FILE'\n${CA}`);
    expect(unboxed(program.find(COMMAND, "t-worker-1-join").inputs.stdin)).toContain(
      "token: abc123.s3cr3ts3cr3ts3cr\n",
    );
  });

  it("keeps the files readable when the caller's cluster object holds a secret besides", async () => {
    const cluster = { ...base.cluster, kubeconfig: pulumi.secret("ADMIN") };
    const { program } = await declare({ cluster });
    expect(typeof program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin).toBe("string");
    expect(program.find("kubernetes:core/v1:ConfigMapPatch", "t-test-cluster-info").inputs.data.kubeconfig).toContain(
      "clusters:",
    );
  });

  it("tells the later of two workers that its machine is the other's", async () => {
    const other = { name: "worker-2", address: "10.0.1.12", hostKey: ED25519_OTHER };
    const { program } = await declare({
      pools: [base.pools[0], { name: "more", workers: [other] }],
    });
    const stdin = (name: string) => unboxed(program.find(COMMAND, `${name}-join`).inputs.stdin) as string;
    expect(stdin("t-worker-1").split("\n")[0]).toBe("apiVersion: v1");
    // Every mocked host has the same machine-id.
    expect(stdin("t-worker-2").split("\n").slice(0, 2)).toEqual(["# machine 0a is worker-1", "apiVersion: v1"]);
  });

  it("keeps a joined node out of the reach of a new token", async () => {
    const { program } = await declare();
    expect(program.optionsOf(COMMAND, "t-worker-1-join")).toMatchObject({
      ignoreChanges: ["stdin"],
      deleteBeforeReplace: true,
    });
  });

  it("rebuilds all steps on another machine, and joins anew for a raised generation", async () => {
    const { program } = await declare(pool({ generation: 7 }));
    const options = (step: string) => program.optionsOf(COMMAND, `t-worker-1-${step}`);
    const triggers = (step: string) => program.find(COMMAND, `t-worker-1-${step}`).inputs.triggers as unknown;
    expect(options("host")).toMatchObject({
      replacementTrigger: `10.0.1.11 ${ED25519} preinstalled`,
      deleteBeforeReplace: true,
    });
    expect(triggers("serving")).toEqual(["t-worker-1-host-id"]);
    expect(options("serving")).toMatchObject({ deleteBeforeReplace: true });
    expect(triggers("kubelet")).toEqual(["t-worker-1-host-id"]);
    expect(options("kubelet")).toMatchObject({ deleteBeforeReplace: true });
    expect(triggers("join")).toEqual(["t-worker-1-kubelet-id"]);
    expect(options("join")).toMatchObject({ replacementTrigger: 7 });
  });

  it("declares the Node with role, labels and taints of pool and worker", async () => {
    const { program } = await declare(
      pool(
        { labels: { rack: "r2", disk: "ssd" }, taints: [{ key: "own", effect: "NoExecute" }] },
        { labels: { rack: "r1", zone: "a" }, taints: [{ key: "dedicated", value: "batch", effect: "NoSchedule" }] },
      ),
    );
    const { metadata, spec } = program.find(NODE, "t-worker-1-node").inputs;
    expect(metadata).toEqual({
      name: "worker-1",
      labels: {
        "node-role.kubernetes.io/worker": "",
        "node-restriction.kubernetes.io/tls-bootstrap": "t-test",
        rack: "r2",
        zone: "a",
        disk: "ssd",
      },
      annotations: {
        "pulumi.com/patchForce": "true",
        "tls-bootstrap/certificate-request": namePatterns("worker-1").join(","),
      },
    });
    expect(spec.taints).toEqual([
      { key: "dedicated", value: "batch", effect: "NoSchedule" },
      { key: "own", effect: "NoExecute" },
    ]);
  });

  it("gives the receipt, parsed and public", async () => {
    const { result } = await declare();
    expect(await valueOf(result.receipts)).toEqual({
      "worker-1": {
        node: "worker-1",
        kubeletVersion: "v1.34.4",
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
    expect(await valueOf(result.tokens)).toEqual({ worker: { id: "abc123", expires: "2026-01-02T04:04:05Z" } });
  });

  it("leaves cluster-info alone when told so, and its tokens sign nothing", async () => {
    const { program, result } = await declare({ clusterInfo: "off" });
    expect(program.listing().filter((line) => /cluster-info|ClusterInfo/.test(line))).toEqual([]);
    expect(await valueOf(result.clusterInfoKubeconfig)).toBeUndefined();
    const secret = unboxed(program.find("kubernetes:core/v1:Secret", "t-worker-token").inputs.stringData);
    expect(secret["usage-bootstrap-signing"]).toBe("false");
  });

  it("names the command that mints a token, for an error on the host", async () => {
    const { program } = await declare();
    const files = program.find(COMMAND, "t-worker-1-kubelet").inputs.stdin as string;
    expect(files).toContain(`MINT_COMMAND='pulumi up --replace "**::t-worker-token-clock"'\n`);
    expect(clockOf(program).name).toBe("t-worker-token-clock");
  });
});

describe("bindings", () => {
  const BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding";
  const declared = async (bindings: TlsBootstrapArgs["bindings"]) => {
    const { program } = await declare({ bindings, scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
    const subjects = program.resources
      .filter(({ type, name }) => type === BINDING && name === "t-test-create-csrs")
      .flatMap(({ inputs }) => inputs.subjects.map((subject: { name: string }) => subject.name) as string[]);
    const secret = unboxed(program.find("kubernetes:core/v1:Secret", "t-worker-token").inputs.stringData);
    return { subjects, groups: secret["auth-extra-groups"] };
  };

  it("are made to the tokens' own groups", async () =>
    expect(await declared(undefined)).toEqual({
      subjects: ["system:bootstrappers:t-test:worker", "system:bootstrappers:t-test:burst"],
      groups: "system:bootstrappers:t-test:worker",
    }));

  it("can be kubeadm's: none are declared, and the tokens carry its group besides their own", async () =>
    expect(await declared({ mode: "existing" })).toEqual({
      subjects: [],
      groups: "system:bootstrappers:t-test:worker,system:bootstrappers:kubeadm:default-node-token",
    }));

  it("can be made to another group", async () =>
    expect(await declared({ group: "system:bootstrappers:all" })).toEqual({
      subjects: ["system:bootstrappers:all"],
      groups: "system:bootstrappers:t-test:worker,system:bootstrappers:all",
    }));

  it("can be made to all tokens of the cluster, with a warning", async () => {
    const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue();
    expect(await declared({ group: "system:bootstrappers" })).toEqual({
      subjects: ["system:bootstrappers"],
      groups: "system:bootstrappers:t-test:worker",
    });
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      expect.stringContaining("bindings.group system:bootstrappers lets every bootstrap token of the cluster ask"),
    ]);
    warn.mockRestore();
  });
});

describe("a scale group", () => {
  it("has a token that is renewed at half of its life, and whose retired ones live on", async () => {
    const { program, result } = await declare({
      scaleGroups: [{ name: "burst", namePrefix: "burst-", tokenTtl: "72h" }],
    });
    const clock = program.find("tls:index/selfSignedCert:SelfSignedCert", "t-burst-token-clock").inputs;
    expect([clock.validityPeriodHours, clock.earlyRenewalHours]).toEqual([72, 36]);
    expect(program.options["kubernetes:core/v1:Secret t-burst-token"].retainOnDelete).toBe(true);
    expect(program.options["kubernetes:core/v1:Secret t-worker-token"].retainOnDelete).toBeFalsy();
    expect(await valueOf(result.tokens)).toMatchObject({ burst: { expires: "2026-01-05T03:04:05Z" } });
    expect(program.find("kubernetes:core/v1:Secret", "t-burst-token").inputs.metadata.namespace).toBe("kube-system");
  });
});

describe("the join policy", () => {
  const ADMISSION = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy";

  it("lets the tokens of each pool and scale group claim their own names only", async () => {
    const { program } = await declare({ scaleGroups: [{ name: "burst", namePrefix: "burst-" }] });
    const names = (claim: string) =>
      program.find(ADMISSION, `t-test-${claim}-names`).inputs.spec.variables.slice(1) as { expression: string }[];
    expect(names("worker")).toEqual([
      { name: "names0", expression: `[\n  "${namePatterns("worker-1").join("")}", // worker-1\n]` },
    ]);
    expect(names("burst")[0].expression.split("\n").length).toBeGreaterThan(57);
    for (const [claim, group] of [
      ["worker", "system:bootstrappers:t-test:worker"],
      ["burst", "system:bootstrappers:t-test:burst"],
    ]) {
      const policy = program.find(ADMISSION, `t-test-${claim}-names`).inputs;
      expect(policy.spec.failurePolicy).toBe("Fail");
      expect(policy.spec.matchConditions[0].expression).toBe(`"${group}" in request.userInfo.groups`);
      expect(program.find(`${ADMISSION}Binding`, `t-test-${claim}-names`).inputs.spec).toEqual({
        policyName: `t-test-${claim}-names`,
        validationActions: ["Deny"],
      });
    }
  });

  it("is in force before the token that it restrains exists", async () => {
    const { program } = await declare();
    const before = program.options["kubernetes:core/v1:Secret t-worker-token"].dependsOn as pulumi.Resource[];
    const urns = await Promise.all(before.map(({ urn }) => valueOf(urn)));
    expect(urns.map((urn) => urn.split("$").at(-1))).toContain("tls-bootstrap:index:JoinPolicy::t-test");
  });

  it("divides the names of a large pool, and adding one changes one line", async () => {
    const lists = async (count: number) => {
      const nodes = Array.from({ length: count }, (_, i) => `rack-${1000 + i}.example.com`);
      const program = new Program();
      await program.run((opts) => new JoinPolicy("p", { claims: [{ name: "a", group: "g", nodes }] }, opts));
      return program
        .find(ADMISSION, "p-a-names")
        .inputs.spec.variables.slice(1)
        .map((v: any) => v.expression) as string[];
    };
    const [before, after] = [await lists(1200), await lists(1201)];
    expect(before.length).toBeGreaterThan(2);
    expect(before.every((text) => text.length < 100_000)).toBe(true);
    const linesOf = (texts: string[]) => texts.flatMap((text) => text.split("\n"));
    const added = linesOf(after).filter((line) => !linesOf(before).includes(line));
    expect(added).toEqual(namePatterns("rack-2200.example.com").map((text) => `  "${text}", // rack-2200.example.com`));
  });

  it("can be left out", async () => {
    const { program } = await declare({ joinPolicy: "off" });
    expect(program.listing().filter((line) => /Admission|names/.test(line) && !line.includes("-serving"))).toEqual([]);
  });
});

describe("a pool's token", () => {
  const subject = async (args: Partial<TlsBootstrapArgs>) =>
    clockOf((await declare(args)).program).inputs.subject.organization as string;

  it("is kept while the same machines are in the pool, in whatever order and with whatever settings", async () => {
    const worker = base.pools[0].workers[0];
    const other = { name: "worker-2", address: "10.0.1.12", hostKey: ED25519_OTHER };
    const one = await subject({ pools: [{ name: "worker", workers: [worker, other] }] });
    expect(
      await subject({
        pools: [{ name: "worker", workers: [other, { ...worker, generation: 1, labels: { a: "b" } }] }],
      }),
    ).toBe(one);
  });

  it.each([
    ["another member", { name: "worker-9" }],
    ["a raised generation", { generation: 2 }],
    ["another address", { address: "10.0.1.99" }],
    ["another host key", { hostKey: ED25519_OTHER }],
  ])("is minted for %s", async (_, change) => expect(await subject(pool(change))).not.toBe(await subject({})));

  it("is minted for other groups and usages, which the Secret of a revoked token would not take", async () => {
    const others = [{ bindings: { group: "system:bootstrappers:all" } }, { clusterInfo: "off" }] as const;
    for (const change of others) expect(await subject(change)).not.toBe(await subject({}));
  });

  it("is revoked by a patch of its Secret, which stays when the patch is deleted", async () => {
    const { program } = await declare();
    const { inputs } = program.find("kubernetes:core/v1:SecretPatch", "t-worker-token-revoked");
    const decoded = Object.entries(unboxed(inputs.data)).map(([key, value]) => [key, atob(value as string)]);
    expect(Object.fromEntries(decoded)).toEqual({
      "usage-bootstrap-authentication": "false",
      "usage-bootstrap-signing": "false",
      expiration: "9999-12-31T23:59:59Z",
    });
    expect([inputs.type, inputs.metadata.name]).toEqual(["bootstrap.kubernetes.io/token", "bootstrap-token-abc123"]);
  });
});

describe("arguments", () => {
  it("are refused together before anything is declared", async () => {
    const program = new Program();
    const bad = {
      pools: [{ name: "Pool", workers: [{ name: "W", address: "10.0.0.1", hostKey: "" }], kubelet: { port: 0 } }],
      kubernetesVersion: "1.34",
      runtime: { type: "package", runc: {} } as const,
      binDir: "bin",
    };
    await expect(program.run((opts) => new TlsBootstrap("t", { ...base, ...bad }, opts))).rejects.toThrow(
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

  it("are refused when a pool has more names than a join policy can hold", async () => {
    const workers = Array.from({ length: 4000 }, (_, i) => ({
      name: `worker-${i + 1000}.eu.example.com`,
      address: `10.1.${i >> 8}.${i & 255}`,
      hostKey: ED25519, // the same, which is another problem of the same report
    }));
    const pools = [{ name: "worker", workers }];
    await expect(new Program().run((opts) => new TlsBootstrap("t", { ...base, pools }, opts))).rejects.toThrow(
      /\n {2}pools\[0\]\.workers: are 4000, and the join policy of so many names .* divide them into pools of at most \d{4}$/,
    );
  });

  it("do not carry secrets into the state of a component", async () => {
    const { program } = await declare();
    const components = program.resources.filter(({ type }) => type.startsWith("tls-bootstrap:"));
    expect(components).toHaveLength(10);
    expect(JSON.stringify(components)).not.toContain("PRIVATE KEY");
    expect(JSON.stringify(components)).not.toContain("s3cr3t");
  });
});
