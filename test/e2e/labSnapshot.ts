import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync, lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { COMPONENTS } from "../../lab/control-plane/componentFlags";
import { findBinary } from "../../lab/builds/kubernetes/binaries";
import type { Lab, LabWorker } from "../../lab/labState";
import { MIRROR } from "../../lab/mirror/mirror";
import { runningPid } from "../../lab/host/pidFile";
import { processesOf } from "../../lab/workers/cgroups";
import { commandInWorker, isWorkerRunning, leaderPid } from "../../lab/workers/labWorker";
import { stacksFolder } from "./testLab";

/** The state of a lab: a value for each thing in it. A test file must leave a lab with the snapshot that it found. */
export type Snapshot = Readonly<Record<string, string>>;

/**
 * The differences between two snapshots, a line for each. Leaves out the content of a folder that is left, and the content of a machine
 * that has started or stopped.
 */
export function differencesOf(before: Snapshot, now: Snapshot): string[] {
  const isLeft = (about: string): boolean => before[about] === undefined && now[about] !== undefined;
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].sort().flatMap((about) => {
    if (before[about] === now[about]) return [];
    const [, worker, what] = /^(worker-\d+): (.*)$/.exec(about) ?? [];
    const machine = `${worker}: machine`;
    if (worker && about !== machine && before[machine] !== now[machine]) return [];
    if (worker && what.startsWith("/") && isLeft(`${worker}: ${dirname(what)}`)) return [];
    if (isLeft(about)) return [`${about} is left`];
    if (now[about] === undefined) return [`${about} is gone`];
    return [`${about} was ${before[about]}, and is ${now[about]}`];
  });
}

/** Reads all that a test file may leave behind: settings, stacks, objects, and files, mounts, processes and network of the workers. */
export async function takeSnapshot(lab: Lab): Promise<Snapshot> {
  const parts = [snapshotSettings(lab), snapshotComponents(lab), snapshotStacks(lab), snapshotObjects(lab)];
  return Object.assign(
    {},
    ...(await Promise.all([...parts, ...lab.workers.map((worker) => snapshotWorker(lab, worker))])),
  );
}

/** The entries of things that exist and have no other value. */
const present = (abouts: Iterable<string>): Snapshot => Object.fromEntries([...abouts].map((about) => [about, ""]));

function snapshotSettings({ settings: { workers, bare, controllers, flags } }: Lab): Snapshot {
  const changed = Object.entries(flags).flatMap(([component, values]) =>
    values.map((flag) => `flag ${flag} of ${component}`),
  );
  const numbers = { workers, "bare workers": bare, controllers };
  return {
    ...Object.fromEntries(Object.entries(numbers).map(([what, count]) => [`number of ${what}`, String(count)])),
    ...present(changed),
  };
}

const snapshotComponents = (lab: Lab): Snapshot =>
  Object.fromEntries(
    [...COMPONENTS, MIRROR].map((name) => [name, runningPid(lab.paths.pidFile(name)) ? "running" : "stopped"]),
  );

/** The resources in the states of the lab's stacks. */
function snapshotStacks(lab: Lab): Snapshot {
  const stacks = stacksFolder(lab);
  const states = namesIn(stacks).flatMap((project) =>
    namesIn(join(stacks, project)).flatMap((file) => (file.endsWith(".json") ? [join(stacks, project, file)] : [])),
  );
  return present(
    states.flatMap((file) => {
      const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as {
        checkpoint: { latest?: { resources?: { urn: string; type: string }[] } };
      };
      const own = (checkpoint.latest?.resources ?? []).filter(
        ({ type }) => !/^pulumi:(pulumi:Stack|providers:)/.test(type),
      );
      return own.map(({ urn }) => `resource ${urn}`);
    }),
  );
}

const KINDS = [
  ...[
    "nodes",
    "namespaces",
    "pods",
    "deployments",
    "daemonsets",
    "services",
    "secrets",
    "configmaps",
    "serviceaccounts",
  ],
  ...["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
  ...["validatingadmissionpolicies", "validatingadmissionpolicybindings", "certificatesigningrequests"],
];

/** Objects that the cluster creates when it first needs them. */
const OF_THE_CLUSTER = [
  /^ServiceAccount kube-system\/(?!tls-bootstrap|kube-proxy)/,
  /^ConfigMap kube-system\/(extension-apiserver-authentication|kube-apiserver-legacy-service-account-token-tracking) /,
];

/** The objects of the cluster, without certificate requests that were answered. */
async function snapshotObjects(lab: Lab): Promise<Snapshot> {
  const kubectl = await findBinary("kubectl", lab.settings.kubernetesVersion);
  const line = '{.kind} {.metadata.namespace}/{.metadata.name} {.status.conditions[?(@.status=="True")].type}';
  const output = `jsonpath={range .items[*]}${line}{"\\n"}{end}`;
  const args = ["--kubeconfig", lab.paths.kubeconfig, "--request-timeout=10s", "get", KINDS.join(), "-A", "-o", output];
  try {
    const { stdout } = await promisify(execFile)(kubectl!, args, { maxBuffer: 1 << 26 });
    const objects = stdout.split("\n").filter((text) => text && !OF_THE_CLUSTER.some((form) => form.test(text)));
    return present(
      objects.flatMap((text) => {
        const [kind, name, ...conditions] = text.split(" ");
        const isHistory = kind === "CertificateSigningRequest" && conditions.some(Boolean);
        return isHistory ? [] : [`${kind} ${name.replace(/^\//, "")}`];
      }),
    );
  } catch (error) {
    return { "API server": (error as { stderr?: string }).stderr?.trim() ?? String(error) };
  }
}

async function snapshotWorker(lab: Lab, worker: LabWorker): Promise<Snapshot> {
  const leader = leaderPid(worker);
  if (!isWorkerRunning(lab, worker) || leader === undefined) return { [`${worker.name}: machine`]: "stopped" };
  const entries = {
    machine: "running",
    ...snapshotFiles(worker),
    ...present(namesIn(join(worker.paths.var, "lib")).map((name) => `/var/lib/${name}`)),
    ...present(namesIn(`/proc/${leader}/root/run`).map((name) => `/run/${name}`)),
    ...present(namesIn(`/proc/${leader}/root/run/tls-bootstrap`).map((name) => `/run/tls-bootstrap/${name}`)),
    ...present(namesIn(`/proc/${leader}/root/run/systemd/system`).map((name) => `/run/systemd/system/${name}`)),
    ...present(mountsOf(leader).map((path) => `mount ${path}`)),
    ...present(programsOf(worker).map((name) => `process ${name}`)),
    ...present(await networkOf(worker)),
  };
  return Object.fromEntries(
    Object.entries(entries)
      .filter(([about]) => !OF_THE_MACHINE.some((form) => form.test(about)))
      .map(([about, value]) => [`${worker.name}: ${about}`, value]),
  );
}

/** Things that a worker has at times, or keeps after pods have run on it. */
const OF_THE_MACHINE = [
  /^process (systemd.*|\(.*\)|sshd.*|sd-.*|agetty|dbus-daemon)$/,
  /^\/run\/(user|systemd|log|mount|lock|xtables\.lock|netns|containerd|blkid|reboot-required|nologin|utmp|shm|sudo|motd.*)$/,
  /^mount \/run\/(credentials|user|containerd|netns)\b/, // of services, and of pods that were not deleted before their node
  /^\/var\/lib\/(cni|systemd|private|containers)$/,
  /\/\.sudo_as_admin_successful$/,
  /^\/run\/tls-bootstrap(\/lock)?$/, // the lock by which runs wait for each other
  /^(\/root)?\/\.kube\b/, // what kubectl keeps of a cluster
];

/** The files in the worker's own layer of the file system: all that was ever written, except in /var. */
function snapshotFiles({ paths }: LabWorker): Snapshot {
  const below = readFileSync(paths.lowerDir, "utf8").split(":");
  const entries: Record<string, string> = {};
  const walk = (folder: string): void => {
    for (const name of namesIn(join(paths.upper, folder))) {
      const path = join(folder, name);
      const own = contentOf(join(paths.upper, path));
      // A file that was changed and put back is the same as in the layers below.
      const beneath = below.map((layer) => contentOf(join(layer, path))).find((content) => content !== undefined);
      if (own !== undefined && own !== beneath) entries[path] = own;
      if (own === FOLDER) walk(path);
    }
  };
  walk("/");
  return entries;
}

const FOLDER = "folder";

/** Identifies the content of a file; undefined when there is no such file. */
function contentOf(file: string): string | undefined {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (!stats) return undefined;
  if (stats.isDirectory()) return FOLDER;
  if (stats.isSymbolicLink()) return `link to ${readlinkSync(file)}`;
  if (stats.isCharacterDevice()) return "deleted"; // as overlayfs writes it down
  const mode = (stats.mode & 0o7777).toString(8);
  // Programs have many megabytes. Their size is enough.
  const content =
    stats.size > 1 << 20 ? stats.size : createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 12);
  return `${mode} ${content}`;
}

const mountsOf = (leader: number): string[] =>
  readFileSync(`/proc/${leader}/mounts`, "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? []);

function programsOf(worker: LabWorker): string[] {
  const names = processesOf(worker.network.namespace).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    } catch {
      return "";
    }
  });
  return [...new Set(names)].filter(Boolean);
}

/** The worker's addresses, and its packet filter rules except those of kube-proxy, the kubelet and pods. */
async function networkOf(worker: LabWorker): Promise<string[]> {
  const [program, args] = commandInWorker(worker, [
    "sh",
    "-c",
    "ip -o -4 addr show dev eth0; iptables-save 2>/dev/null || true",
  ]);
  const { stdout } = await promisify(execFile)(program, args);
  return stdout.split("\n").flatMap((line) => {
    const [, address] = / inet (\S+)/.exec(line) ?? [];
    if (address) return [`address ${address}`];
    return /^-A /.test(line) && !/KUBE|CNI|kubernetes/.test(line) ? [`rule ${line}`] : [];
  });
}

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
