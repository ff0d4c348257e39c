/** What happens to each worker. */
import { PATHS, WORKER_LABEL } from "../../components/cluster/names";
import { fileChanges, type FileChange, filesIn, isConf, isScript, variablesIn } from "./files";
import { type Change, type Inputs, SECRET, UNKNOWN } from "./preview";

const WORKER = "tls-bootstrap:index:Worker";

/** The steps over SSH, in the order in which they run. */
const STEPS = ["air-gap", "host", "serving", "kubelet", "kube-proxy", "join"] as const;

/** What happens to a worker, in the order of the summary. */
export const FATES = [
  "join",
  "leave",
  "lose",
  "forget",
  "move",
  "reimage",
  "rejoin",
  "repeat",
  "drain",
  "restart",
  "run",
] as const;
export type Fate = (typeof FATES)[number];

/** A worker's value that changes. `from` is missing when the worker joins. */
export interface Fact {
  readonly what: "Kubernetes" | "Runtime" | "API server" | "Address" | "Generation";
  readonly from?: string;
  readonly to?: string;
}

export interface WorkerChange {
  /** Name of the node. */
  readonly name: string;
  readonly fate?: Fate;
  /** Units that restart. */
  readonly restarts: readonly string[];
  /** Name of the pool's resource, as far as the step `kubelet` tells it. */
  readonly pool?: string;
  /** Number of the worker's batch in the rollout of its pool. 1 without a rollout. */
  readonly batch: number;
  readonly facts: readonly Fact[];
  /** Lines of files that change. Empty for a worker that joins or leaves. */
  readonly files: readonly FileChange[];
  /** Names of this module's scripts that change. */
  readonly scripts: readonly string[];
  /** Why files are not shown, when they may change. */
  readonly hidden?: "secret" | "unknown";
  readonly servingCertificate: boolean;
  /** Subjects of the cluster's CAs, as `+CN=next-ca`. */
  readonly authorities: readonly string[];
  /** As `+disk=ssd`, `-disk=ssd`. */
  readonly labels: readonly string[];
  readonly taints: readonly string[];
  /** What else differs in steps that run again, such as the connection. */
  readonly reasons: readonly string[];
  /** Steps that are replaced. */
  readonly replaced: readonly string[];
}

/** The name of the Worker that a resource belongs to. Undefined for other resources. */
export function workerOf({ within, parent, type, name }: Change): string | undefined {
  if (type === WORKER) return name;
  const at = within.indexOf(WORKER);
  if (at < 0) return undefined;
  const owner = parent.split("::").slice(3).join("::");
  // The parts of a serving certificate are in a component of their own.
  if (type === "tls-bootstrap:index:ServingCertificate") return owner;
  return at === within.length - 1 ? owner : owner.replace(/-serving$/, "");
}

/** Summarizes the changes of one worker's resources. */
export function workerChange(resource: string, changes: readonly Change[]): WorkerChange {
  const step = (suffix: string) => changes.find((change) => change.name === `${resource}-${suffix}`);
  const [host, kubelet] = [step("host"), step("kubelet")];
  const inputs = [host, kubelet].map((change) => stdinChange(change));
  const all = inputs.flatMap(({ files }) => files);
  const facts = factsOf(inputs);
  const restarts = restartsOf(inputs[1]);
  const fate = fateOf({ step, facts, restarts });
  const isWhole = fate === "join" || fate === "leave" || fate === "lose" || fate === "forget";
  return {
    name: nodeName(resource, changes),
    fate,
    restarts,
    pool: /::([^":]+)-token-clock"/.exec(inputs[1].new.get("MINT_COMMAND") ?? "")?.[1],
    batch: batchOf(kubelet),
    facts: fate === "join" ? newFacts(host) : isWhole ? [] : facts,
    files: isWhole ? [] : all.flatMap(withoutFacts).filter(({ path }) => !isScript(path)),
    scripts: isWhole ? [] : all.flatMap(({ path }) => (isScript(path) ? [path.slice(PATHS.scripts.length + 1)] : [])),
    hidden: isWhole ? undefined : inputs.find(({ hidden }) => hidden)?.hidden,
    authorities: isWhole ? [] : all.flatMap(authoritiesIn),
    servingCertificate: !INSTALLS_ALL.includes(fate) && isReplaced(step("serving-certificate")),
    labels: isGone(step("node")) ? [] : labelsOf(step("labels")),
    taints: isGone(step("node")) ? [] : taintsOf(step("node")),
    reasons: [...new Set([host, kubelet, step("kube-proxy"), step("join")].flatMap(reasonsOf))],
    replaced: STEPS.filter((suffix) => step(suffix)?.op === "replace"),
  };
}

/** What brings a worker all its files, its serving certificate included, or takes them away. */
const INSTALLS_ALL: readonly (Fate | undefined)[] = ["join", "leave", "lose", "forget", "move", "reimage", "repeat"];

const isReplaced = (change: Change | undefined): boolean => change?.op === "replace" || change?.op === "update";
const isGone = (change: Change | undefined): boolean => change?.op === "delete";

/** The node's name as the API server knows it. Without a Node among the changes, the name of the resource without the project. */
function nodeName(resource: string, changes: readonly Change[]): string {
  const names = changes.flatMap(({ old, new: now }) => {
    const { name } = ((now ?? old)?.metadata ?? {}) as { name?: unknown };
    return typeof name === "string" ? [name] : nodeNamesIn(now ?? old);
  });
  const project = /^urn:pulumi:.+?::(.+?)::/.exec(changes[0].urn)?.[1] ?? "";
  return names[0] ?? (resource.startsWith(`${project}-`) ? resource.slice(project.length + 1) : resource);
}

const nodeNamesIn = (inputs: Inputs | undefined): string[] => {
  const name = typeof inputs?.stdin === "string" ? variablesIn(inputs.stdin).get("NODE_NAME") : undefined;
  return name === undefined ? [] : [name];
};

interface StdinChange {
  readonly files: readonly FileChange[];
  readonly old: ReadonlyMap<string, string>;
  readonly new: ReadonlyMap<string, string>;
  readonly hidden?: "secret" | "unknown";
}

const NO_CHANGE: StdinChange = { files: [], old: new Map(), new: new Map() };

/** How the input of a step changes: files, and variables for the scripts. */
function stdinChange(change: Change | undefined): StdinChange {
  if (!change?.old || !change.new) return NO_CHANGE;
  const [old, now] = [change.old.stdin, change.new.stdin];
  if (now === UNKNOWN) return { ...NO_CHANGE, hidden: "unknown" };
  if (old === SECRET || now === SECRET || typeof old !== "string" || typeof now !== "string")
    return { ...NO_CHANGE, hidden: "secret" };
  return { files: fileChanges(old, now), old: confVariables(old), new: confVariables(now) };
}

const confVariables = (stdin: string): Map<string, string> =>
  new Map([...filesIn(stdin)].flatMap(([path, { text }]) => (isConf(path) ? [...variablesIn(text)] : [])));

/** Variables that the summary says in words, those that follow from them, and the commands that errors advise. */
const SAID =
  /^(KUBERNETES_VERSION|KUBECTL|RUNTIME|RUNTIME_RELEASES|RUNTIME_SETTINGS|(CONTAINERD|RUNC|CNI)_(VERSION|FILE|SUMS)|API_SERVER|NODE_ADDRESS|SERVING_NAMES|GENERATION|(MINT|REPLACE|AIR_GAP)_COMMAND)=/;

/** A file without the lines that the summary says in words. Empty when no line is left. */
function withoutFacts(change: FileChange): FileChange[] {
  if (!isConf(change.path)) return [change];
  const lines = change.lines.filter((line) => !SAID.test(line.slice(1)));
  return lines.length > 0 ? [{ ...change, lines }] : [];
}

/** The certificates that the file of the cluster's CA gets or loses. The diff shows a certificate as one line. */
const authoritiesIn = ({ path, lines }: FileChange): string[] =>
  path === PATHS.ca ? lines.flatMap((line) => line.replace(/^([-+])certificate (.*), until .*$/, "$1$2")) : [];

const versionOf = (variables: ReadonlyMap<string, string>): string | undefined =>
  variables.get("KUBERNETES_VERSION") ?? /\/v([\d.]+)\/bin\//.exec(variables.get("KUBECTL") ?? "")?.[1];

const VALUES: Readonly<Record<Fact["what"], (variables: ReadonlyMap<string, string>) => string | undefined>> = {
  Kubernetes: versionOf,
  Runtime: (variables) => variables.get("RUNTIME_RELEASES"),
  "API server": (variables) => variables.get("API_SERVER"),
  Address: (variables) => variables.get("NODE_ADDRESS"),
  Generation: (variables) => variables.get("GENERATION"),
};
const WHATS = Object.keys(VALUES) as Fact["what"][];

/** What the steps bring from one value to another. The steps `host` and `kubelet` have most values in common. */
const factsOf = (inputs: readonly StdinChange[]): Fact[] =>
  WHATS.flatMap((what): Fact[] => {
    const found = inputs
      .map(({ old, new: now }) => ({ what, from: VALUES[what](old), to: VALUES[what](now) }))
      .find(({ from, to }) => from !== to);
    return found ? [found] : [];
  });

function newFacts(host: Change | undefined): Fact[] {
  const stdin = host?.new?.stdin;
  if (typeof stdin !== "string") return [];
  const variables = confVariables(stdin);
  return (["Kubernetes", "Runtime"] as const).map((what) => ({ what, to: VALUES[what](variables) }));
}

/** The units that the step `kubelet` restarts. See `kubelet.sh`. */
function restartsOf({ files, old, new: now }: StdinChange): string[] {
  const differ = (name: string) => old.get(name) !== now.get(name);
  const units = files.flatMap(({ unit }) => unit ?? []);
  if (differ("API_SERVER") || differ("RUNTIME_RELEASES")) units.push("kubelet");
  if (differ("RUNTIME_SETTINGS") || differ("RUNTIME_RELEASES")) units.push("containerd");
  return [...new Set(units)].sort();
}

interface Evidence {
  readonly step: (suffix: string) => Change | undefined;
  readonly facts: readonly Fact[];
  readonly restarts: readonly string[];
}

function fateOf({ step, facts, restarts }: Evidence): Fate | undefined {
  const [host, kubelet, leave, join] = ["host", "kubelet", "leave", "join"].map(step);
  const fact = (what: Fact["what"]) => facts.find((it) => it.what === what);
  if (leave?.op === "delete") return leave.old?.delete === undefined ? "forget" : "leave";
  if (leave?.op === "update" && leave.old?.delete !== undefined && leave.new?.delete === undefined) return "lose";
  if (join?.op === "create") return "join";
  if (leave?.op === "replace") return "move";
  if (fact("Generation")) return "rejoin";
  if (host?.op === "replace") return leave ? "reimage" : "repeat";
  if (kubelet?.op === "replace" || join?.op === "replace") return "repeat";
  if (fact("Runtime") || isOtherMinor(fact("Kubernetes"))) return kubelet ? "drain" : "run";
  if (restarts.length > 0) return "restart";
  return host || kubelet || join || step("kube-proxy") || step("air-gap") ? "run" : undefined;
}

const minorOf = (version = ""): string => version.split(".").slice(0, 2).join(".");
const isOtherMinor = (fact: Fact | undefined): boolean => fact !== undefined && minorOf(fact.from) !== minorOf(fact.to);

/** The step waits for the barrier behind the batch before. See `WorkerPool`. */
function batchOf(kubelet: Change | undefined): number {
  const numbers = (kubelet?.dependencies ?? []).flatMap((urn) => /-batch-(\d+)$/.exec(urn)?.[1] ?? []);
  return Math.max(0, ...numbers.map(Number)) + 1;
}

/** What differs in a step whose files stay the same. */
function reasonsOf(change: Change | undefined): string[] {
  if (change?.op !== "update") return [];
  return change.differs.filter((key) => key !== "stdin" || change.new?.[key] === SECRET);
}

function labelsOf(change: Change | undefined): string[] {
  const read = (inputs: Inputs | undefined) => {
    const { labels = {} } = (inputs?.metadata ?? {}) as { labels?: Record<string, unknown> };
    return Object.entries(labels).flatMap(([key, value]) => (key === WORKER_LABEL ? [] : [`${key}=${String(value)}`]));
  };
  return listChanges(read(change?.old), read(change?.new));
}

function taintsOf(change: Change | undefined): string[] {
  const read = (inputs: Inputs | undefined) => {
    const { taints } = (inputs?.spec ?? {}) as { taints?: Readonly<Record<string, string | undefined>>[] | string };
    if (!Array.isArray(taints)) return taints === undefined ? [] : [String(taints)];
    return taints.map(({ key, value = "", effect }) => `${key}=${value}:${effect}`);
  };
  return listChanges(read(change?.old), read(change?.new));
}

const listChanges = (old: readonly string[], now: readonly string[]): string[] => [
  ...old.filter((item) => !now.includes(item)).map((item) => `-${item}`),
  ...now.filter((item) => !old.includes(item)).map((item) => `+${item}`),
];
