/** Checks a stack's file with the checks of a preview. */
import { parseDocument } from "yaml";
import { elementsOf, isMap } from "../../components/validation/maps";
import { parseSettings } from "../../settings/settings";
import { readWorkersFiles } from "../../settings/workersFile";

/** Name of the project in Pulumi.yaml, and namespace of the config keys. */
const PROJECT = "tls-bootstrap";

export interface StackReport {
  readonly file: string;
  /** The platform stack, or the URL of the API server. Undefined when neither can be read, as in an encrypted kubeconfig. */
  readonly cluster?: string;
  readonly pools?: number;
  readonly workers?: number;
  readonly scaleGroups: number;
  /** Versions of Kubernetes on the workers, and on the machines of scale groups. */
  readonly versions: readonly string[];
  /** Each begins with a config key, or with a line of a workers file. */
  readonly problems: readonly string[];
  /** What cannot be checked without the stack's secrets or environments. */
  readonly notes: readonly string[];
}

export interface StackFile {
  readonly file: string;
  readonly text: string;
  /** Text of Pulumi.yaml, whose defaults count where the stack has no value. */
  readonly project: string;
  /** Whether the file is a sample, whose secrets each user sets. */
  readonly isSample: boolean;
}

/** Settings that hold secrets, so `pulumi config set --secret` adds them to a file. */
const SECRET_SETTINGS = ["cluster", "ssh.privateKey"];

/**
 * Checks the settings of one stack. An encrypted value counts as right. Needs no engine, no cluster and no network. Reads workers files, whose
 * relative paths begin at the working directory.
 */
export function checkStackFile({ file, text, project, isSample }: StackFile): StackReport {
  const document = parseDocument(text, { merge: true });
  if (document.errors.length > 0)
    return {
      file,
      scaleGroups: 0,
      versions: [],
      problems: [`is not valid YAML: ${document.errors[0].message}`],
      notes: [],
    };
  const { config, environment } = (document.toJS({ maxAliasCount: -1 }) ?? {}) as Record<string, unknown>;
  const settings = { ...defaultsIn(project), ...ownSettings(config) };
  const secrets: string[] = [];
  const readable = hideSecrets(settings, "", secrets) as Record<string, unknown>;
  const isMissing = (problem: string) => problem.includes("is required");
  const all = problemsOf(readable).filter((problem) => !secrets.some((place) => isAt(problem, place)));
  const toSet = isSample ? SECRET_SETTINGS.filter((key) => all.some((it) => isMissing(it) && isAt(it, key))) : [];
  const elsewhere = environment === undefined ? [] : all.filter(isMissing);
  const problems = all.filter(
    (it) => !elsewhere.includes(it) && !(isMissing(it) && toSet.some((key) => isAt(it, key))),
  );
  return {
    file,
    cluster: clusterOf(readable),
    ...inventoryOf(readable),
    problems,
    notes: [
      ...(toSet.length > 0 ? [`a sample: set its secrets ${toSet.join(", ")}`] : []),
      ...(stored(settings.pools ?? "").includes('"workersFrom"')
        ? ["workers of the platform stack are not checked"]
        : []),
      ...(environment === undefined ? [] : ["settings of its environment (Pulumi ESC) are not checked"]),
    ],
  };
}

/** The project's settings in a map of config. */
function ownSettings(config: unknown): Record<string, unknown> {
  const entries = Object.entries(isMap(config) ? config : {});
  const prefix = `${PROJECT}:`;
  return Object.fromEntries(
    entries.flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
  );
}

function defaultsIn(project: string): Record<string, unknown> {
  const { config = {} } = (parseDocument(project).toJS() ?? {}) as { config?: Record<string, { default?: unknown }> };
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, { default: value }]) => (value === undefined ? [] : [[key, value]])),
  );
}

/** Replaces encrypted values by a text, and collects their places. */
function hideSecrets(value: unknown, at: string, secrets: string[]): unknown {
  if (Array.isArray(value)) return value.map((item, i) => hideSecrets(item, `${at}[${i}]`, secrets));
  if (!isMap(value)) return value;
  if (typeof value.secure === "string" && Object.keys(value).length === 1) {
    secrets.push(at);
    return "[secret]";
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, hideSecrets(item, at ? `${at}.${key}` : key, secrets)]),
  );
}

/** Whether a problem is that of a setting, or of a part of it. */
function isAt(problem: string, place: string): boolean {
  const rest = problem.slice(`${PROJECT}:`.length);
  return problem.startsWith(`${PROJECT}:${place}`) && !/^\w/.test(rest.slice(place.length));
}

/** As Pulumi stores config: text stays text, everything else is JSON. */
const stored = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function problemsOf(settings: Readonly<Record<string, unknown>>): string[] {
  const raw = Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, stored(value)]));
  try {
    parseSettings(PROJECT, raw);
    return [];
  } catch (error) {
    const [title, ...lines] = (error as Error).message.split("\n");
    return lines.length > 0 ? lines.map((line) => line.trim()) : [title];
  }
}

type Inventory = Pick<StackReport, "pools" | "workers" | "scaleGroups" | "versions">;

/** What the file declares, as far as it has the right shape. */
function inventoryOf(settings: Readonly<Record<string, unknown>>): Inventory {
  const { pools } = readWorkersFiles(`${PROJECT}:pools`, settings.pools);
  const groups = elementsOf(settings.scaleGroups);
  const workers = elementsOf(pools).flatMap((pool) =>
    elementsOf(isMap(pool) ? pool.workers : undefined).map((worker) => versionOf(worker) ?? versionOf(pool)),
  );
  const versions = [...workers, ...groups.map(versionOf)].flatMap((version) => version ?? versionOf(settings) ?? []);
  return {
    ...(Array.isArray(pools) && { pools: pools.length, workers: workers.length }),
    scaleGroups: groups.length,
    versions: [...new Set(versions)].sort(),
  };
}

function clusterOf({ platform, cluster }: Readonly<Record<string, unknown>>): string | undefined {
  const target = isMap(cluster) ? cluster.server : platform;
  return typeof target === "string" ? target : undefined;
}

const versionOf = (level: unknown): string | undefined =>
  isMap(level) && typeof level.kubernetesVersion === "string" ? level.kubernetesVersion : undefined;
