/**
 * The lab of `npm run bench`: workers that every candidate can join to the same cluster, with the same binaries and the same container runtime.
 */
import { hash, X509Certificate } from "node:crypto";
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { findBinary } from "../lab/builds/kubernetes/binaries";
import { which } from "../lab/host/platform";
import { type Lab, labFolder, requireLab } from "../lab/labState";
import { LAB_STACK, Workspace } from "../lab/pulumi/workspace";
import { ADMIN } from "../lab/workers/workerFiles";
import { initWithKubeadm, KUBEADM_TOKEN, kubeadmInit, requireKubeadm } from "../test/e2e/kubeadm";
import { tarballRuntime } from "../test/e2e/bareWorkers";
import { TestLab } from "../test/e2e/testLab";
import { REPOSITORY } from "../test/repository";

const NAME = "bench";
const AUDIT_LOG = join(labFolder(NAME), "audit.log");
const CANDIDATES = join(REPOSITORY, "bench", "candidates");
/** The folder of the bench on a worker. */
const ON_WORKER = "opt/bench";

const execute = promisify(execFile);

/** The environment in which `pulumi` is the lab's. */
export const pulumiEnvironment = async (lab: TestLab): Promise<NodeJS.ProcessEnv> =>
  JSON.parse(await lab.out("env", "--", "node", "-p", "JSON.stringify(process.env)")) as NodeJS.ProcessEnv;

/** Waits until policies that were made or deleted count. The API server reads its policies every second. */
export const policiesRead = (): Promise<void> => setTimeout(4000);

/** What host.sh knows of a worker. Times are seconds since 1970. */
export interface HostFacts {
  readonly sshBytes: number;
  readonly logins: number[];
  readonly started: number[];
  readonly certified: number[];
  readonly registered: number[];
}

export class BenchLab {
  readonly auditLog = AUDIT_LOG;
  readonly program = (name: string): string => join(CANDIDATES, name);

  private constructor(
    readonly lab: TestLab,
    readonly state: Lab,
    /** The folder with the inputs of the candidates. */
    readonly folder: string,
    readonly kubectl: string,
    readonly kubeconfig: string,
    readonly version: string,
    /** See {@link pulumiEnvironment}. */
    readonly environment: NodeJS.ProcessEnv,
    readonly sshConfig: string,
    /** The settings of the program that does what shell.sh does. */
    private readonly leastConfig: string,
    /** The workers as the settings of the stack have them. */
    readonly workers: readonly { readonly name: string; readonly address: string }[],
  ) {}

  /** A lab with the binaries on its workers, prepared for all candidates. */
  static async up(count: number): Promise<BenchLab> {
    if (!(await which("ansible-playbook")))
      throw new Error("ansible-playbook is missing: run 'apt-get install --no-install-recommends ansible-core'");
    const lab = await BenchLab.#start(count, 0);
    await lab.#writeInputs();
    await lab.#prepareWorkers();
    return lab;
  }

  /** A lab whose workers have no binaries and no container runtime. They get both from the lab's mirror. */
  static async upBare(count: number): Promise<BenchLab> {
    const lab = await BenchLab.#start(count, count);
    const runtime = await tarballRuntime(lab.lab);
    await lab.lab.configure((settings) => Object.assign(settings["tls-bootstrap:pools"][0], { runtime }));
    return lab;
  }

  static async #start(count: number, bare: number): Promise<BenchLab> {
    const lab = new TestLab(NAME);
    const policy = join(REPOSITORY, "bench", "auditPolicy.yaml");
    const flags = [`--audit-policy-file=${policy}`, `--audit-log-path=${AUDIT_LOG}`];
    const audit = flags.flatMap((flag) => ["--flag", `kube-apiserver=${flag}`]);
    await lab.out("up", "--workers", String(count), "--bare", String(bare), ...audit);
    const { kubectl, kubeconfig, kubernetesVersion, stateDir, configFile } = await lab.facts();
    const { config } = parse(await readFile(configFile, "utf8"));
    const folder = join(stateDir, "bench");
    const state = await requireLab(NAME);
    return new BenchLab(
      ...([lab, state, folder, kubectl!, kubeconfig, kubernetesVersion] as const),
      await pulumiEnvironment(lab),
      join(folder, "ssh-config"),
      join(folder, "Pulumi.least.yaml"),
      config["tls-bootstrap:pools"][0].workers,
    );
  }

  /** Writes what the candidates besides the module need, and prepares the cluster for their joins as kubeadm does. */
  async #writeInputs(): Promise<void> {
    const { paths, workers } = this.state;
    const { apiServer, stateDir } = await this.lab.facts();
    const ca = await readFile(join(stateDir, "pki", "ca.crt"), "utf8");
    const kubelet = await readFile(this.program("kubelet.yaml"), "utf8");
    await initWithKubeadm(this.lab);
    await kubeadmInit(this.lab, ["upload-config", "all"], parse(kubelet));

    const files: Record<string, string> = {
      "etc/kubernetes/pki/ca.crt": ca,
      "etc/kubernetes/bootstrap-kubelet.conf": JSON.stringify(bootstrapKubeconfig(apiServer)),
      "etc/systemd/system/kubelet.service": await readFile(this.program("kubelet.service"), "utf8"),
      "var/lib/kubelet/config.yaml": kubelet,
    };
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, "files", path);
      await mkdir(join(file, ".."), { recursive: true });
      await writeFile(file, text, { mode: 0o600 });
    }
    const key = new X509Certificate(ca).publicKey.export({ type: "spki", format: "der" });
    const kubeadm = joinConfiguration(new URL(apiServer).host, `sha256:${hash("sha256", key)}`);
    await writeFile(join(this.folder, "kubeadm-join.yaml"), JSON.stringify(kubeadm), { mode: 0o600 });

    const options = `User ${ADMIN}\nIdentityFile ${paths.sshKey}\nUserKnownHostsFile ${paths.knownHosts}\nIdentitiesOnly yes\nIdentityAgent none\n`;
    const hosts = workers.map(({ name, network }) => `Host ${name}\n  HostName ${network.address}\n`);
    await writeFile(this.sshConfig, [...hosts, `Host *\n${options}`].join(""));
  }

  /** Copies the binaries to each worker, and the packages of Python for Ansible, which a lab's workers lack. */
  async #prepareWorkers(): Promise<void> {
    await requireKubeadm(this.lab);
    const [{ paths }] = this.state.workers;
    const packages = join(this.folder, "packages");
    await mkdir(join(packages, "partial"), { recursive: true });
    const options = {
      "Dir::State::status": join(paths.rootfs, "var/lib/dpkg/status"),
      "Dir::Cache::archives": packages,
      "APT::Sandbox::User": "root",
    };
    const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    await execute("apt-get", [...flags, "--yes", "--download-only", "--no-install-recommends", "install", "python3"]);
    for (const name of ["kubelet", "kubectl", "kubeadm"] as const) {
      const from = (await findBinary(name, this.version))!;
      const sha256 = hash("sha256", await readFile(from));
      for (const { paths } of this.state.workers) {
        const to = join(paths.rootfs, ON_WORKER);
        await mkdir(to, { recursive: true });
        await copyFile(from, join(to, name));
        await writeFile(join(to, `${name}.sha256`), `${sha256}\n`);
      }
    }
    for (const { name, paths } of this.state.workers) {
      const to = join(paths.rootfs, ON_WORKER);
      await cp(packages, join(to, "packages"), { recursive: true });
      for (const file of ["host.sh", "kubeadm.service"]) await copyFile(this.program(file), join(to, file));
      await this.onHost(name, "prepare");
    }
  }

  /** Runs host.sh on a worker, without SSH. */
  onHost = (worker: string, ...words: string[]): Promise<string> =>
    this.lab.exec(worker, "sh", `/${ON_WORKER}/host.sh`, ...words);

  onHosts = (workers: readonly string[], ...words: string[]): Promise<string[]> =>
    Promise.all(workers.map((worker) => this.onHost(worker, ...words)));

  /** The facts of workers since a time in milliseconds. */
  factsOf = async (workers: readonly string[], since: number): Promise<HostFacts[]> =>
    (await this.onHosts(workers, "facts", String(Math.floor(since / 1000)))).map(
      (line) => JSON.parse(line) as HostFacts,
    );

  /** Runs a candidate's command on this machine. Returns when it began and ended, in milliseconds since 1970. */
  async time(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<[number, number]> {
    const begun = Date.now();
    await execute(command, args, { cwd: REPOSITORY, env, maxBuffer: 1 << 28 }).catch((error: Error) => {
      const { stdout, stderr } = error as Error & { stdout: string; stderr: string };
      throw new Error(`${command} failed:\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`, { cause: error });
    });
    return [begun, Date.now()];
  }

  /** Runs the CLI on the module's stack. */
  pulumi = async (operation: "up" | "destroy"): Promise<[number, number]> =>
    this.#runPulumi(operation, ["--config-file", (await this.lab.facts()).configFile]);

  /** Runs the CLI on the program that does what shell.sh does. */
  pulumiLeast = (operation: "up" | "destroy"): Promise<[number, number]> =>
    this.#runPulumi(operation, ["--cwd", this.program("pulumi"), "--config-file", this.leastConfig]);

  /** The CLI may work on all workers at once, as the other candidates do. */
  #runPulumi(operation: "up" | "destroy", flags: readonly string[]): Promise<[number, number]> {
    const common = ["--yes", "--skip-preview", "--non-interactive", "--parallel", "50"];
    return this.time("pulumi", [operation, ...common, ...flags], this.environment);
  }

  /** Writes the settings of the program that does what shell.sh does. */
  async declareLeast(names: readonly string[]): Promise<void> {
    const inputs = {
      workers: this.workers.filter(({ name }) => names.includes(name)),
      user: ADMIN,
      keyFile: this.state.paths.sshKey,
      files: join(this.folder, "files"),
    };
    await writeFile(this.leastConfig, stringify({ config: { "bench-pulumi:inputs": inputs } }));
    await Workspace.open(this.state, {
      program: this.program("pulumi"),
      name: LAB_STACK,
      configFile: this.leastConfig,
    });
  }

  /** Declares the first workers of the lab. */
  declare = (count: number, kubelet: object = {}): Promise<void> =>
    this.lab.configure((settings) => {
      const [pool] = settings["tls-bootstrap:pools"];
      pool.workers = this.workers.slice(0, count);
      Object.assign(pool.kubelet, kubelet);
    });
}

const bootstrapKubeconfig = (server: string): object => ({
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "cluster", cluster: { server, "certificate-authority": "/etc/kubernetes/pki/ca.crt" } }],
  users: [{ name: "bootstrap", user: { token: KUBEADM_TOKEN } }],
  contexts: [{ name: "bootstrap", context: { cluster: "cluster", user: "bootstrap" } }],
  "current-context": "bootstrap",
});

const joinConfiguration = (apiServerEndpoint: string, caHash: string): object => ({
  apiVersion: "kubeadm.k8s.io/v1beta4",
  kind: "JoinConfiguration",
  discovery: { bootstrapToken: { apiServerEndpoint, token: KUBEADM_TOKEN, caCertHashes: [caHash] } },
  nodeRegistration: {
    criSocket: "unix:///run/containerd/containerd.sock",
    // A lab's workers are containers, with the kernel's config and modules out of sight.
    ignorePreflightErrors: ["SystemVerification", "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables"],
  },
});
