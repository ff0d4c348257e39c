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
export type LabPaths = ReturnType<typeof labPaths>;

export function labPaths(folder: string) {
  return {
    folder,
    settings: join(folder, "lab.json"),
    configFile: join(folder, "Pulumi.lab.yaml"),
    passphrase: join(folder, "passphrase"),
    /** Home and backend of the Pulumi CLI. */
    pulumi: join(folder, "pulumi"),
    pki: join(folder, "pki"),
    kubeconfig: join(folder, "kubeconfig"),
    sshKey: join(folder, "ssh", "id_ed25519"),
    knownHosts: join(folder, "ssh", "known_hosts"),
    etcd: join(folder, "etcd"),
    mirror: join(folder, "mirror"),
    workers: join(folder, "workers"),
    pidFile: (component: string) => join(folder, "run", `${component}.pid`),
    logFile: (component: string) => join(folder, "logs", `${component}.log`),
    componentKubeconfig: (component: string) => join(folder, "kubeconfigs", component),
  } as const;
}

/** Where a worker keeps what. */
export type WorkerPaths = ReturnType<typeof workerPaths>;

export function workerPaths(lab: LabPaths, name: string) {
  const folder = join(lab.workers, name);
  return {
    folder,
    /** The worker's root file system as the host sees it, while it is mounted. */
    rootfs: join(folder, "rootfs"),
    /** The overlay's own layers. */
    upper: join(folder, "upper"),
    work: join(folder, "work"),
    /** The worker's /var, on a real file system: an overlay can't hold the layers of containers. */
    var: join(folder, "var"),
    hostKey: join(folder, "ssh_host_ed25519_key"),
    /** Says over which shared layers the worker's own was written. */
    lowerDir: join(folder, "lowerdir"),
  } as const;
}
