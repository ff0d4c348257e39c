import { KubeProxy, type KubeProxySpec, Worker } from "../../../../components";
import { endpointOf } from "../../../../components/cluster/kubeconfig";
import { renderKubeProxyConfig, renderKubeProxyUnit } from "../../../../components/kubeProxy/kubeProxyConfig";
import { COMMAND, declareTlsBootstrap, ONE_WORKER } from "../oneWorker";
import { Program, unboxed } from "../program";

const DAEMON_SET = "kubernetes:apps/v1:DaemonSet";
const { cluster, kubernetesVersion } = ONE_WORKER;
const unit: KubeProxySpec = { mode: "unit", clusterCidr: "10.244.0.0/16" };
const daemonset: KubeProxySpec = { mode: "daemonset", clusterCidr: "10.244.0.0/16" };

describe("renderKubeProxyConfig", () => {
  const args = {
    nodeName: "worker-1",
    kubeconfig: "/etc/kubernetes/kube-proxy.conf",
    clusterCidr: "10.244.0.0/16",
    settings: {},
  };

  it("serves metrics on loopback only, and health on all addresses", () =>
    expect(renderKubeProxyConfig(args)).toBe(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: worker-1
clientConnection:
  kubeconfig: /etc/kubernetes/kube-proxy.conf
bindAddress: 0.0.0.0
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: 127.0.0.1:10249
clusterCIDR: 10.244.0.0/16
`));

  it.each(["fd00:10::/64", "fd00:10::/64,10.244.0.0/16"])("does the same over IPv6 for %s", (clusterCidr) => {
    const text = renderKubeProxyConfig({ ...args, clusterCidr });
    expect(text).toContain('healthzBindAddress: "[::]:10256"\nmetricsBindAddress: "[::1]:10249"\n');
    expect(text).toContain(`clusterCIDR: ${clusterCidr}\n`);
  });

  it("adds the given settings", () =>
    expect(renderKubeProxyConfig({ ...args, settings: { conntrack: { maxPerCore: 0 } } })).toContain(
      "\nconntrack:\n  maxPerCore: 0\n",
    ));
});

it("the unit waits for its credential, and runs the configured version", () => {
  const text = renderKubeProxyUnit(kubernetesVersion);
  expect(text).toContain("\nConditionPathExists=/etc/kubernetes/kube-proxy.conf\n");
  expect(text).toContain(
    "\nExecStart=/opt/kubernetes/v1.34.4/bin/kube-proxy --config=/var/lib/kube-proxy/config.yaml\n",
  );
});

describe("a worker with kube-proxy as a unit", () => {
  const declare = async (kubeProxy?: KubeProxySpec) => (await declareTlsBootstrap({ kubeProxy })).program;
  const step = (program: Program, name: string) => program.find(COMMAND, `t-worker-1-${name}`).inputs;

  it("has one more command, whose stdin is the credential, as a secret", async () => {
    const program = await declare(unit);
    const { create, delete: remove, stdin } = step(program, "kube-proxy");
    const run = "/opt/tls-bootstrap/scripts/run.sh";
    expect([create, remove]).toEqual([`exec ${run} kube-proxy apply`, undefined]);
    const kubeconfig = unboxed(stdin) as string;
    expect(endpointOf(kubeconfig)).toEqual(cluster);
    expect(kubeconfig).toContain("token: the proxy's token");
  });

  it("shows kube-proxy's config and unit in the preview, but not its credential", async () => {
    const files = step(await declare(unit), "kubelet").stdin as string;
    expect(files).toContain("file 0600 /var/lib/kube-proxy/config.yaml kube-proxy <<");
    expect(files).toContain("\nhostnameOverride: worker-1\n");
    expect(files).toContain("file 0600 /etc/systemd/system/kube-proxy.service kube-proxy <<");
    expect(files).not.toContain("the proxy's token");
  });

  it("starts kube-proxy before the node joins, since a network plugin may need a Service", async () => {
    const program = await declare(unit);
    expect(step(program, "kube-proxy").triggers).toEqual(["t-worker-1-kubelet-id"]);
    const { dependsOn } = program.optionsOf(COMMAND, "t-worker-1-join");
    const proxy = (dependsOn as { __name?: string }[]).map(({ __name }) => __name);
    expect(proxy).toContain("t-worker-1-kube-proxy");
    // A dependency, not a trigger: turning kube-proxy on does not drain the node.
    expect(step(program, "join").triggers).toEqual(["t-worker-1-kubelet-id"]);
  });

  it.each<[string, KubeProxySpec]>([
    ["iptables", unit],
    ["nft", { ...unit, config: { mode: "nftables" } }],
  ])("downloads kube-proxy, and checks for %s", async (tool, spec) => {
    const host = step(await declare(spec), "host").stdin as string;
    expect(host).toContain(`\nBINARIES='kubelet kubectl kube-proxy'\nTOOLS='${tool} openssl'\n`);
  });

  it("checks for nft, and not for iptables, where packages install the runtime", async () => {
    const tools = async (spec: KubeProxySpec) => {
      const { program } = await declareTlsBootstrap({ kubeProxy: spec, runtime: { type: "package" } });
      return /\nTOOLS='(.*)'\n/.exec(step(program, "host").stdin as string)![1];
    };
    expect(await tools(unit)).toBe("openssl");
    expect(await tools({ ...unit, config: { mode: "nftables" } })).toBe("nft openssl");
  });

  it.each([undefined, { mode: "off", clusterCidr: "10.244.0.0/16" } as const])(
    "has none of this when kube-proxy is off (%j)",
    async (spec) => {
      const program = await declare(spec);
      expect(program.listing().filter((line) => /proxy/i.test(line))).toEqual([]);
      expect(step(program, "host").stdin).toContain("\nBINARIES='kubelet kubectl'\nTOOLS='openssl'\n");
      expect(step(program, "kubelet").stdin).toContain("\nKUBE_PROXY='off'\n");
    },
  );

  it("is refused without a credential for kube-proxy", async () => {
    const { pools, ...environment } = ONE_WORKER;
    const args = {
      ...environment,
      ...pools[0].workers[0],
      servingCertificates: { mode: "manual" } as const,
      bootstrapKubeconfig: "B",
      mintCommand: "M",
      kubeProxy: unit,
    };
    await expect(new Program().run((opts) => new Worker("w", args, opts))).rejects.toThrow(
      "kubeProxyKubeconfig: is required",
    );
  });
});

describe("KubeProxy as a DaemonSet", () => {
  const declare = async (spec: KubeProxySpec) => {
    const program = new Program();
    await program.run((opts) => new KubeProxy("p", { cluster, kubernetesVersion, spec, nodeLabels: { a: "b" } }, opts));
    return program;
  };
  const podOf = async (spec: KubeProxySpec) => (await declare(spec)).find(DAEMON_SET, "p").inputs.spec.template;

  it("runs on the workers of its stack only, whatever their taints", async () => {
    const { spec } = await podOf(daemonset);
    expect(spec.nodeSelector).toEqual({
      "kubernetes.io/os": "linux",
      a: "b",
    });
    expect(spec.tolerations).toEqual([{ operator: "Exists" }]);
    expect(spec).toMatchObject({ hostNetwork: true, priorityClassName: "system-node-critical" });
  });

  it("runs on the machines of scale groups too", async () => {
    const { program } = await declareTlsBootstrap({
      kubeProxy: daemonset,
      scaleGroups: [
        { name: "burst", namePrefix: "burst-", userData: {} },
        { name: "tokens", namePrefix: "other-" },
      ],
    });
    const { spec } = program.find(DAEMON_SET, "t-test-kube-proxy").inputs.spec.template;
    expect(spec.nodeSelector).toEqual({ "kubernetes.io/os": "linux" });
    const term = (key: string, value: string) => ({ matchExpressions: [{ key, operator: "In", values: [value] }] });
    expect(spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      term("node-restriction.kubernetes.io/tls-bootstrap", "t-test"),
      term("tls-bootstrap/scale-group", "burst"),
    ]);
  });

  it("is privileged only in the init container, which sets up the kernel", async () => {
    const { spec } = await podOf(daemonset);
    expect(spec.initContainers[0].command).toContain("--init-only");
    expect(spec.initContainers[0].securityContext).toEqual({ privileged: true });
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
    });
  });

  it("connects to the cluster's server URL, with the pod's token", async () => {
    const { data } = (await declare(daemonset)).find("kubernetes:core/v1:ConfigMap", "p").inputs;
    expect(endpointOf(data["kubeconfig.yaml"] as string)).toEqual(cluster);
    expect(data["kubeconfig.yaml"]).toContain("tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token");
    expect(data["config.yaml"]).toContain("kubeconfig: /var/lib/kube-proxy/kubeconfig.yaml");
  });

  it("uses the official image of the version, or the configured one", async () => {
    const images = async (spec: KubeProxySpec) => {
      const { spec: pod } = await podOf(spec);
      return [...pod.initContainers, ...pod.containers].map(({ image }: { image: string }) => image);
    };
    const official = "registry.k8s.io/kube-proxy:v1.34.4";
    expect(await images(daemonset)).toEqual([official, official]);
    expect(await images({ ...daemonset, image: "r/p:1" })).toEqual(["r/p:1", "r/p:1"]);
  });

  it("rolls its pods when the config changes, and only then", async () => {
    const annotation = async (spec: KubeProxySpec) => JSON.stringify((await podOf(spec)).metadata.annotations);
    expect(await annotation(daemonset)).toBe(await annotation({ ...daemonset }));
    expect(await annotation({ ...daemonset, config: { nodePortAddresses: ["primary"] } })).not.toBe(
      await annotation(daemonset),
    );
  });

  it.each<[string, KubeProxySpec, string]>([
    ["the mode off", { mode: "off" }, "spec.mode: must be unit or daemonset"],
    ["a missing clusterCidr", { mode: "daemonset" }, "spec.clusterCidr: is required"],
    [
      "rules of nftables without its mode",
      { ...daemonset, config: { nftables: { masqueradeAll: true } } },
      "spec.config.nftables: has no effect with the mode 'iptables': remove it",
    ],
    [
      "rules of iptables with the mode nftables",
      { ...daemonset, config: { mode: "nftables", iptables: { localhostNodePorts: true } } },
      "spec.config.iptables: has no effect with the mode 'nftables': remove it",
    ],
  ])("refuses %s", async (_, spec, problem) => expect(declare(spec)).rejects.toThrow(problem));
});
