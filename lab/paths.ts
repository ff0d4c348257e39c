import { homedir } from "node:os";
import { join, resolve } from "node:path";

export const REPOSITORY = resolve(__dirname, "..");

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of all labs of this clone: one folder below it for each. */
export function labsFolder(env: Environment = process.env): string {
  return resolve(env.TLS_BOOTSTRAP_LAB_DIR || join(REPOSITORY, ".lab"));
}

/** What takes long to make and depends on nothing of a lab's: shared by all labs and clones of the user. */
export function cacheFolder(env: Environment = process.env): string {
  const base = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(env.TLS_BOOTSTRAP_CACHE_DIR || join(base, "tls-bootstrap"));
}

/** Where a lab keeps what. */
export interface LabPaths {
  readonly folder: string;
  readonly settings: string;
  readonly configFile: string;
  readonly passphrase: string;
  /** Home and backend of the Pulumi CLI. */
  readonly pulumi: string;
  readonly pki: string;
  readonly kubeconfig: string;
  readonly sshKey: string;
  readonly knownHosts: string;
  readonly etcd: string;
  readonly mirror: string;
  readonly workers: string;
  pidFile(component: string): string;
  logFile(component: string): string;
  componentKubeconfig(component: string): string;
}

export function labPaths(folder: string): LabPaths {
  const at = (...parts: string[]): string => join(folder, ...parts);
  return {
    folder,
    settings: at("lab.json"),
    configFile: at("Pulumi.lab.yaml"),
    passphrase: at("passphrase"),
    pulumi: at("pulumi"),
    pki: at("pki"),
    kubeconfig: at("kubeconfig"),
    sshKey: at("ssh", "id_ed25519"),
    knownHosts: at("ssh", "known_hosts"),
    etcd: at("etcd"),
    mirror: at("mirror"),
    workers: at("workers"),
    pidFile: (component) => at("run", `${component}.pid`),
    logFile: (component) => at("logs", `${component}.log`),
    componentKubeconfig: (component) => at("kubeconfigs", component),
  };
}

/** Where a worker keeps what. */
export interface WorkerPaths {
  readonly folder: string;
  /** The worker's root file system as the host sees it, while it is mounted. */
  readonly rootfs: string;
  /** The overlay's own layers. */
  readonly upper: string;
  readonly work: string;
  /** The worker's /var, on a real file system: an overlay can't hold the layers of containers. */
  readonly var: string;
  readonly hostKey: string;
  /** Says over which shared layers the worker's own was written. */
  readonly lowerDir: string;
}

export function workerPaths(lab: LabPaths, name: string): WorkerPaths {
  const folder = join(lab.workers, name);
  return {
    folder,
    rootfs: join(folder, "rootfs"),
    upper: join(folder, "upper"),
    work: join(folder, "work"),
    var: join(folder, "var"),
    hostKey: join(folder, "ssh_host_ed25519_key"),
    lowerDir: join(folder, "lowerdir"),
  };
}
