import { homedir } from "node:os";
import { join, resolve } from "node:path";

export const REPOSITORY = resolve(__dirname, "..");

const BUNDLES = join(REPOSITORY, "node_modules", ".cache", "tls-bootstrap");

/** The lab's programs as they run: `lab/run` bundles them after a change. In node_modules, where they find packages. */
export const bundles = { cli: join(BUNDLES, "lab.cjs"), plugins: join(BUNDLES, "plugins.cjs") } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of this clone's labs. Each lab has a folder in it. */
export function labsFolder(env: Environment = process.env): string {
  return resolve(env.TLS_BOOTSTRAP_LAB_DIR || join(REPOSITORY, ".lab"));
}

/** The folder of binaries and root file systems, which all labs and clones of the user share. */
export function cacheFolder(env: Environment = process.env): string {
  const base = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(env.TLS_BOOTSTRAP_CACHE_DIR || join(base, "tls-bootstrap"));
}

export type LabPaths = ReturnType<typeof labPaths>;

export function labPaths(folder: string) {
  return {
    folder,
    settings: join(folder, "lab.json"),
    configFile: join(folder, "Pulumi.lab.yaml"),
    /** Settings of examples/platform, for a lab with controllers. */
    platformConfigFile: join(folder, "Pulumi.platform.yaml"),
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

export type WorkerPaths = ReturnType<typeof workerPaths>;

export function workerPaths(lab: LabPaths, name: string) {
  const folder = join(lab.workers, name);
  return {
    folder,
    /** Where the host mounts the worker's root file system. */
    rootfs: join(folder, "rootfs"),
    /** The worker's own layer of that overlay, and the overlay's working folder. */
    upper: join(folder, "upper"),
    work: join(folder, "work"),
    /** The worker's /var. It is no overlay, because an overlay cannot hold containerd's overlays. */
    var: join(folder, "var"),
    hostKey: join(folder, "ssh_host_ed25519_key"),
    /** File that names the shared layers below the worker's own layer. */
    lowerDir: join(folder, "lowerdir"),
  } as const;
}
