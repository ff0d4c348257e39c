import { remote } from "@pulumi/command";
import { Node } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { readAirGap } from "../downloads/airGap";
import { binaryNames, siteUrls } from "../downloads/downloads";
import type { ClusterEndpoint } from "../cluster/kubeconfig";
import { renderNamePatterns } from "../admission/joinPolicy";
import type { KubeProxySpec } from "../kubeProxy/kubeProxySpec";
import { binariesOf, PATCH_FORCE, PATHS, REQUEST_ANNOTATION, WORKER_LABEL } from "../cluster/names";
import { refuse } from "../validation/refuse";
import type { Taint, WorkerSpec } from "../spec/schema";
import { type CertificateAuthority, servingNamesOf } from "../serving/servingCertificates";
import { connectionTo, type SshArgs } from "./connection";
import { PREINSTALLED, type ProxySpec, type RuntimeSpec } from "../runtime/runtimeSpec";
import { hashOf, type HostFile, renderBundle, renderHostScript, renderVariables } from "./hostFiles";
import { proxyVariables } from "../runtime/containerd";
import { allowsCgroupV1, keepsSwap, portsOf, renderKubeletConfig } from "../kubelet/kubeletConfig";
import { KUBE_PROXY_PORTS, renderKubeProxyConfig, renderKubeProxyUnit } from "../kubeProxy/kubeProxyConfig";
import { renderKubeletUnit } from "../kubelet/kubeletUnit";
import { runtimeFiles, runtimeVariables } from "../runtime/runtimeFiles";
import { Machines } from "./machines";
import { type JoinReceipt, parseHostReceipt, parseReceipt } from "./receipt";
import { ServingCertificate } from "../serving/servingCertificate";

/** The CRI socket of containerd, where distribution packages put it. */
const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** What is sent to a worker that downloads nothing, in the home of whoever logs in, and where it is unpacked. */
const AIR_GAP_FILE = ".tls-bootstrap-air-gap.tar";
const AIR_GAP_DIR = "/var/lib/tls-bootstrap/air-gap";

/** What all workers of a cluster have in common. */
export interface WorkerEnvironment {
  /** Server and CA that the worker trusts. */
  readonly cluster: pulumi.Input<ClusterEndpoint>;
  readonly ssh: SshArgs;
  /** Version of kubelet and kubectl, `1.<minor>.<patch>`. */
  readonly kubernetesVersion: string;
  /**
   * Base URL of the binaries, laid out like the official one, with a `.sha256` file beside each.
   * @default "https://dl.k8s.io"
   */
  readonly downloadUrl?: string;
  /**
   * Folder for links to the programs that are installed; another one where /usr is read-only, such as /opt/bin.
   * @default "/usr/local/bin"
   */
  readonly binDir?: string;
  /**
   * Path, on the machine that runs Pulumi, of an archive with all that the workers would download: it is sent to them over SSH, and they download
   * nothing. `npm run air-gap` makes it.
   * @default none: `downloadUrl`
   */
  readonly airGap?: string;
  /** For downloads, packages and images. */
  readonly proxy?: ProxySpec;
  /**
   * The container runtime; another `type` makes the worker leave and join anew.
   * @default { type: "preinstalled" }
   */
  readonly runtime?: RuntimeSpec;
  /** @default "cluster.local" */
  readonly clusterDomain?: string;
  /** @default ["10.96.0.10"] */
  readonly clusterDns?: readonly string[];
  /**
   * Shared by workers that must be different machines.
   * @default workers of one {@link TlsBootstrap} must
   */
  readonly machines?: Machines;
  /** @default { mode: "off" } */
  readonly kubeProxy?: KubeProxySpec;
  /** What kube-proxy proves itself with in mode `unit`; see {@link KubeProxy}. */
  readonly kubeProxyKubeconfig?: pulumi.Input<string>;
  /**
   * Signs the kubelets' serving certificates, see {@link ServingCertificatesArgs}.
   * @default none: kubelets ask the cluster for them (`serverTLSBootstrap`), and somebody approves
   */
  readonly servingCa?: CertificateAuthority;
}

export interface WorkerArgs extends WorkerEnvironment, WorkerSpec {
  /** The kubeconfig with the bootstrap token. Only a first join, or one after a raised generation, uses it. */
  readonly bootstrapKubeconfig: pulumi.Input<string>;
  /** How a new token is minted, for the error of a join whose token is no longer accepted. */
  readonly mintCommand: string;
  /** What must be there before the worker asks for its certificate: the token, and the bindings that let it be approved. */
  readonly prerequisites?: pulumi.Input<pulumi.Resource>[];
}

/**
 * One VM as a Kubernetes node: its declared Node object, and its commands over SSH.
 *
 * - `air-gap`, where nothing can be downloaded, sends what is needed.
 * - `host` checks the VM, prepares its kernel, and installs kubelet and kubectl.
 * - `serving` brings it the certificate by which its kubelet is a server, see {@link ServingCertificate}.
 * - `kubelet` writes the kubelet's files. Their text is the command's input, so a preview shows the very lines that change.
 * - `kube-proxy`, where that is a unit, brings its credential and starts it.
 * - `join` starts the kubelet with the bootstrap token and waits until the node is Ready; removed, it drains the node, stops
 *   the kubelet and wipes its keys.
 *
 * A changed address or host key is another machine: the old one is left and cleaned first, then the new one joins.
 */
export class Worker extends pulumi.ComponentResource {
  /** Proof of the join. */
  readonly receipt: pulumi.Output<JoinReceipt>;

  constructor(name: string, args: WorkerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:Worker", name, {}, opts);
    const { kubernetesVersion, generation = 1, servingCa, machines = new Machines() } = args;
    const nodeAddress = args.nodeAddress ?? args.address;
    const settings = args.kubelet ?? {};
    const names = servingNamesOf(args.name, nodeAddress);
    const runtime = args.runtime ?? PREINSTALLED;
    const cgroupDriver = typeof settings.cgroupDriver === "string" ? settings.cgroupDriver : "systemd";
    const cluster = pulumi.output(args.cluster);
    const proxyMode = args.kubeProxy?.mode ?? "off";
    const proxyUnit = proxyMode === "unit" ? args.kubeProxy : undefined;
    refuse(`Worker '${name}'`, [
      ["kubeProxyKubeconfig", proxyUnit && !args.kubeProxyKubeconfig ? "is required for a kube-proxy unit" : undefined],
    ]);
    const run = commandLines(args.ssh.user);
    const archive = args.airGap === undefined ? undefined : readAirGap(args.airGap);
    const sendCommand = `--replace "**::${name}-air-gap"`;
    const replaceCommand = `pulumi up --replace "**::${name}-host"${archive ? ` ${sendCommand}` : ""}`;
    const sites = archive
      ? { kubernetes: `${AIR_GAP_DIR}/kubernetes`, releases: `${AIR_GAP_DIR}/releases` }
      : siteUrls({ downloadUrl: args.downloadUrl, runtime });
    const common = {
      connection: connectionTo(args, args.ssh),
      addPreviousOutputInEnv: false, // stock sshd refuses environment variables
      logging: remote.Logging.None, // receipts are for the state; a failed command's output is shown in any case
    };

    const node = new Node(
      `${name}-node`,
      {
        metadata: {
          name: args.name,
          labels: { ...args.labels, ...WORKER_LABEL },
          annotations: { ...PATCH_FORCE, [REQUEST_ANNOTATION]: renderNamePatterns(args.name) },
        },
        spec: args.taints?.length ? { taints: args.taints.map((taint: Taint) => ({ ...taint })) } : {},
      },
      {
        parent: this,
        // An administrator's cordon: without this, the provider would take over what kubectl wrote and drop it at the next change
        // of a label.
        ignoreChanges: ["spec.unschedulable"],
      },
    );

    const sent =
      archive &&
      new remote.CopyToRemote(
        `${name}-air-gap`,
        {
          connection: common.connection,
          source: new pulumi.asset.FileAsset(args.airGap!),
          remotePath: AIR_GAP_FILE, // in the home of whoever logs in
        },
        { parent: this, replacementTrigger: machineOf(args) },
      );

    const host = new remote.Command(
      `${name}-host`,
      {
        ...common,
        create: run.script,
        delete: run.remove("host"),
        stdin: cluster.apply(({ server }) =>
          renderHostScript(
            {
              KUBERNETES_VERSION: kubernetesVersion,
              DOWNLOAD_URL: sites.kubernetes,
              BIN_DIR: args.binDir ?? "/usr/local/bin",
              API_SERVER: server,
              NODE_NAME: args.name,
              NODE_ADDRESS: nodeAddress,
              PORTS: [...portsOf(settings), ...(proxyUnit ? KUBE_PROXY_PORTS : [])].join(" "),
              RUNTIME_SOCKET: CONTAINERD_SOCKET,
              BINARIES: binaryNames(args.kubeProxy).join(" "),
              TOOLS: [
                // Packages bring it with the runtime.
                ...(proxyUnit && runtime.type !== "package" ? ["iptables"] : []),
                ...(servingCa ? ["openssl"] : []),
                ...(archive ? ["tar"] : []),
              ].join(" "),
              SERVING: servingCa ? "issued" : "requested",
              SERVING_NAMES: [...names.dns.map((dns) => `DNS:${dns}`), ...names.ips.map((ip) => `IP:${ip}`)].join(", "),
              REPLACE_COMMAND: replaceCommand,
              SWAP: keepsSwap(settings) ? "keep" : "off",
              CGROUP_V1: allowsCgroupV1(settings, kubernetesVersion) ? "allow" : "refuse",
              CGROUP_DRIVER: cgroupDriver,
              ...proxyVariables(args.proxy),
              ...runtimeVariables(runtime),
              ...(runtime.type === "tarball" && { RUNTIME_URL: sites.releases }),
              ...(archive && {
                AIR_GAP: archive.digest,
                AIR_GAP_USER: args.ssh.user ?? "root",
                AIR_GAP_FILE,
                AIR_GAP_DIR,
                AIR_GAP_COMMAND: `pulumi up ${sendCommand}`,
              }),
            },
            runtimeFiles(runtime, { cgroupDriver, proxy: args.proxy }),
          ),
        ),
      },
      {
        parent: this,
        dependsOn: sent ? [sent] : [],
        replacementTrigger: machineOf(args),
        deleteBeforeReplace: true,
      },
    );

    const serving =
      servingCa &&
      new ServingCertificate(
        `${name}-serving`,
        {
          node: args.name,
          address: nodeAddress,
          host,
          ca: servingCa,
          replaceCommand,
          command: { ...common, create: run.phase("serving apply"), delete: run.remove("serving") },
        },
        { parent: this },
      );

    const files = cluster.apply(({ server, ca }): HostFile[] => [
      { path: PATHS.ca, mode: "0644", text: `${ca.trim()}\n`, restarts: "kubelet" },
      {
        path: PATHS.nodeConf,
        mode: "0644",
        text: renderVariables({
          NODE_NAME: args.name,
          GENERATION: String(generation),
          API_SERVER: server,
          KUBECTL: `${binariesOf(kubernetesVersion)}/kubectl`,
          MINT_COMMAND: args.mintCommand,
          KUBE_PROXY: proxyMode,
        }),
      },
      {
        path: PATHS.kubeletConfig,
        mode: "0600",
        text: renderKubeletConfig({
          clusterDomain: args.clusterDomain ?? "cluster.local",
          clusterDns: args.clusterDns ?? ["10.96.0.10"],
          containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
          servingCertificate: servingCa ? "issued" : "requested",
          settings,
        }),
        restarts: "kubelet",
      },
      {
        path: PATHS.kubeletUnit,
        mode: "0600",
        text: renderKubeletUnit({ kubernetesVersion, nodeName: args.name, nodeAddress, flags: args.kubeletFlags }),
        restarts: "kubelet",
      },
      ...(proxyUnit ? kubeProxyFiles(args.name, kubernetesVersion, proxyUnit) : []),
    ]);
    // The triggers tie them together: what is built on a replaced step is removed before it and made anew after it.
    const kubelet = new remote.Command(
      `${name}-kubelet`,
      {
        ...common,
        create: run.phase("kubelet apply"),
        delete: run.remove("kubelet"),
        stdin: files.apply(renderBundle),
        triggers: [host.id],
      },
      { parent: this, dependsOn: serving?.installed, deleteBeforeReplace: true },
    );

    // For join.sh to refuse, which looks whether it is still so. Not an error here, since that would leave the host's old answer in the state.
    const copyOf = host.stdout.apply((stdout) => {
      const checked = parseHostReceipt(stdout);
      const owner = machines.claim(args.name, checked);
      return owner ? `# machine ${checked.machine} is ${owner}\n` : "";
    });

    const proxy =
      proxyUnit &&
      new remote.Command(
        `${name}-kube-proxy`,
        {
          ...common,
          create: run.phase("kube-proxy apply"),
          delete: run.remove("kube-proxy"),
          stdin: pulumi.secret(args.kubeProxyKubeconfig!),
          triggers: [kubelet.id],
        },
        { parent: this, deleteBeforeReplace: true },
      );

    const join = new remote.Command(
      `${name}-join`,
      {
        ...common,
        create: run.phase("join"),
        delete: run.phase("leave", true),
        stdin: pulumi.secret(pulumi.concat(copyOf, args.bootstrapKubeconfig)),
        triggers: [kubelet.id],
      },
      {
        parent: this,
        dependsOn: [node, ...(proxy ? [proxy] : []), ...(args.prerequisites ?? [])],
        // A new token is for those who have yet to join: it is no change to this node.
        ignoreChanges: ["stdin"],
        replacementTrigger: generation,
        deleteBeforeReplace: true,
      },
    );

    this.receipt = pulumi
      // The kubelet's id, since it is there once the files are, and known in the preview of a change.
      .unsecret(pulumi.all([files, kubelet.id, host.stdout, join.stdout]))
      .apply(([list, , checked, joined]) =>
        parseReceipt({ kubeletVersion: `v${kubernetesVersion}`, configHash: hashOf(list) }, checked, joined),
      );
    this.registerOutputs({ receipt: this.receipt });
  }
}

/**
 * What makes a worker another machine: the old one is left and cleaned first, then the new one joins. A runtime of another type is not put in
 * the place of one that runs pods.
 */
export const machineOf = ({
  address,
  hostKey,
  runtime = PREINSTALLED,
}: Pick<WorkerArgs, "address" | "hostKey" | "runtime">): string => `${address} ${hostKey} ${runtime.type}`;

/** The command lines that run on a host, with `sudo -n` unless the user is root. They hold no secret: a failed one is printed whole. */
function commandLines(user = "root") {
  const sudo = user === "root" ? "" : "sudo -n ";
  const phase = (words: string) => `exec ${sudo}${PATHS.scripts}/run.sh ${words}`;
  return {
    /** Runs the script on stdin; without root where there is no way to it, for the report that says so. */
    script: `${sudo && `${sudo}/bin/sh -c : 2>/dev/null && exec ${sudo}/bin/sh -s; `}exec /bin/sh -s`,
    phase: (words: string, onlyIfInstalled = false) => (onlyIfInstalled ? ifInstalled(phase(words)) : phase(words)),
    /** Undoes a phase; a host that was never prepared, or was wiped, has nothing to undo. */
    remove: (what: "host" | "serving" | "kubelet" | "kube-proxy") => ifInstalled(phase(`${what} remove`)),
  };
}

const ifInstalled = (command: string) => `if [ -e ${PATHS.scripts}/run.sh ]; then ${command}; fi`;

/** What of kube-proxy's unit is no secret. */
const kubeProxyFiles = (
  nodeName: string,
  kubernetesVersion: string,
  { clusterCidr, config }: KubeProxySpec,
): HostFile[] => [
  {
    path: PATHS.kubeProxyConfig,
    mode: "0600",
    text: renderKubeProxyConfig({
      nodeName,
      kubeconfig: PATHS.kubeProxyKubeconfig,
      clusterCidr: clusterCidr!,
      settings: config,
    }),
    restarts: "kube-proxy",
  },
  { path: PATHS.kubeProxyUnit, mode: "0600", text: renderKubeProxyUnit(kubernetesVersion), restarts: "kube-proxy" },
];
