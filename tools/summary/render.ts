/** Renders a preview as Markdown for a pull request. */
import { clusterChange } from "./cluster";
import { type FileChange, pathsText } from "./files";
import { count, groupBy, nameList } from "./lists";
import type { Preview } from "./preview";
import { type Fact, type Fate, FATES, workerChange, type WorkerChange, workerOf } from "./workers";

const FATE_TEXTS: Readonly<Record<Fate, string>> = {
  join: "**Join**",
  leave: "**Leave** (drained, stopped and wiped by SSH)",
  lose: "**Lost** (no SSH; the Node is deleted, and its pods with it)",
  forget: "**Forgotten** (was lost before; no SSH)",
  move: "**Move to another VM** (the new VM is prepared, the old VM leaves, the new VM joins)",
  reimage: "**Join again on a new disk** (the host key is new)",
  rejoin: "**Leave and join again** (drained, and the identity is wiped)",
  repeat: "**Repeat steps**",
  drain: "**Drain and restart**",
  restart: "**Restart**",
  run: "**Prepare** (checks, downloads and files; nothing restarts)",
};

/** How much a block shows. A comment of GitHub has at most 65,536 characters, and a reviewer reads less. */
interface Limits {
  readonly lines: number;
  readonly width: number;
  /** Where the rest is. */
  readonly rest: string;
}
const DIFF_LIMITS: Limits = { lines: 40, width: 160, rest: "see pulumi preview --diff" };
const ERROR_LIMITS: Limits = { lines: 60, width: 400, rest: "see the log of the preview" };
/** How many groups of workers with the same lines, and how many warnings the summary shows. */
const SHOWN_GROUPS = 5;
const SHOWN_WARNINGS = 5;

/** Renders the summary of one stack. */
export function renderSummary(preview: Preview): string {
  const { stack, changes, unchanged, errors } = preview;
  const byWorker = groupBy(changes, workerOf);
  const others = byWorker.get(undefined) ?? [];
  const workers = [...byWorker].flatMap(([name, own]) => (name === undefined ? [] : [workerChange(name, own)]));
  if (errors.length > 0)
    return [
      `### ${stack}: the preview failed`,
      "",
      ...fence("text", shorten(errors.join("\n").split("\n"), ERROR_LIMITS)),
    ].join("\n");
  if (changes.length === 0) return [`### ${stack}`, "", "Nothing changes."].join("\n");
  const items = [...workerItems(workers), ...clusterItems(clusterChange(others)), ...warningItems(preview)];
  return [
    `### ${stack}: ${changes.length} of ${count(changes.length + unchanged, "resource")} change${changes.length === 1 ? "s" : ""}`,
    "",
    ...items.map((item) => `- ${item}`),
    ...fileSections(workers),
  ].join("\n");
}

function workerItems(workers: readonly WorkerChange[]): string[] {
  const fates = FATES.flatMap((fate) => {
    const own = workers.filter((worker) => worker.fate === fate);
    if (fate !== "drain" && fate !== "restart")
      return [...groupBy(own, (worker) => fateText(fate, worker))].map(([text, group]) => `${text}: ${namesOf(group)}`);
    // The batches of one pool do not wait for those of another.
    return [...groupBy(own, (worker) => `${worker.pool} ${fateText(fate, worker)}`).values()].map(
      (group) => `${fateText(fate, group[0])}: ${inBatches(group)}`,
    );
  });
  return [
    ...fates,
    ...grouped(workers, ({ facts }) => facts.filter((fact) => fact.what !== "Generation").map(factText)),
    ...grouped(workers, ({ authorities }) => authorities.map(authorityText)),
    ...grouped(workers, ({ labels }) => (labels.length > 0 ? [`**Labels** ${code(labels)}`] : [])),
    ...grouped(workers, ({ taints }) => (taints.length > 0 ? [`**Taints** ${code(taints)}`] : [])),
    ...grouped(workers, (worker) =>
      worker.servingCertificate ? ["**New serving certificate** (the kubelet restarts)"] : [],
    ),
    ...grouped(workers, ({ scripts }) =>
      scripts.length > 0 ? [`**Scripts of this module** (${nameList(scripts)})`] : [],
    ),
    ...grouped(workers, ({ hidden }) =>
      hidden === undefined ? [] : [`**Files** are ${hidden === "secret" ? "secret" : "known only during the update"}`],
    ),
  ];
}

/** How many texts of one kind the summary shows. */
const SHOWN_TEXTS = 8;

/** The texts of all workers, each once with the names of its workers. */
function grouped(workers: readonly WorkerChange[], textsOf: (worker: WorkerChange) => readonly string[]): string[] {
  const said = workers.flatMap((worker) => textsOf(worker).map((text) => ({ text, worker })));
  const groups = [...groupBy(said, ({ text }) => text)];
  const names = (group: typeof said) => namesOf(group.map(({ worker }) => worker));
  const rest = groups.slice(SHOWN_TEXTS).flatMap(([, group]) => group);
  return [
    ...groups.slice(0, SHOWN_TEXTS).map(([text, group]) => `${text}: ${names(group)}`),
    ...(rest.length > 0 ? [`${count(rest.length, "more change")} of this kind: ${names(rest)}`] : []),
  ];
}

const namesOf = (workers: readonly WorkerChange[]): string => nameList(workers.map(({ name }) => name));
const code = (items: readonly string[]): string => items.map((item) => `\`${item}\``).join(" ");

function fateText(fate: Fate, { restarts, reasons, facts, replaced }: WorkerChange): string {
  const generation = facts.find(({ what }) => what === "Generation");
  if (fate === "rejoin" && generation)
    return `${FATE_TEXTS[fate]}, generation ${generation.from ?? "?"} → ${generation.to ?? "?"}`;
  if (fate === "repeat") return `${FATE_TEXTS[fate]} ${replaced.join(", ")}`;
  if (fate === "restart") return `${FATE_TEXTS[fate]} ${restarts.join(" and ")}`;
  if (fate === "run" && reasons.length > 0) return `**Run again** with another ${reasons.join(", ")}`;
  return FATE_TEXTS[fate];
}

/** What a node does before it changes the server or its CA, see `check_endpoint` in kubelet.sh. */
const CHECKED = "each node asks the API server first; no Node, certificate or token is replaced";

function factText({ what, from, to }: Fact): string {
  if (from === undefined) return `**${what}** ${to ?? "?"}`;
  return `**${what}** ${from} → ${to ?? "?"}${what === "API server" ? ` (${CHECKED})` : ""}`;
}

const authorityText = (change: string): string =>
  change.startsWith("+")
    ? `**CA added** ${change.slice(1)} (${CHECKED})`
    : `**CA removed** ${change.slice(1)} (the API server must have other certificates first: its own, and the one with which it calls kubelets)`;

/** How many batches the summary lists. */
const SHOWN_BATCHES = 6;

/** The workers of a pool, one batch after the other. Only what the step `kubelet` disrupts goes in batches. */
function inBatches(workers: readonly WorkerChange[]): string {
  const batches = [...groupBy(workers, ({ batch }) => batch)].sort(([a], [b]) => a - b).map(([, batch]) => batch);
  if (batches.length === 1) return workers.length === 1 ? namesOf(workers) : `${namesOf(workers)}, all at once`;
  const shown = batches.length > SHOWN_BATCHES ? SHOWN_BATCHES - 1 : batches.length;
  const rest = batches.slice(shown);
  const last = rest.length > 0 ? [`in ${rest.length} more batches ${namesOf(rest.flat())}`] : [];
  return [...batches.slice(0, shown).map(namesOf), ...last].join("; then ");
}

function clusterItems({ tokens, policies, rollouts, objects, others }: ReturnType<typeof clusterChange>): string[] {
  const item = (title: string, parts: readonly string[], separator = "; ") =>
    parts.length > 0 ? [`**${title}**: ${parts.join(separator)}`] : [];
  return [
    ...item("Tokens", tokens),
    ...item("Policies", policies),
    ...item("Batches", rollouts),
    ...item("Cluster", objects),
    ...item("Other resources", others, ", "),
  ];
}

const warningItems = ({ warnings }: Preview): string[] =>
  [...new Set(warnings)].slice(0, SHOWN_WARNINGS).map((warning) => `**Warning**: ${warning.split("\n")[0]}`);

/** The lines that change, once for all workers with the same lines. */
function fileSections(workers: readonly WorkerChange[]): string[] {
  const groups = [
    ...groupBy(
      workers.filter(({ files }) => files.length > 0),
      ({ files }) => diffLines(files).join("\n"),
    ),
  ];
  const shown = groups.slice(0, SHOWN_GROUPS);
  const rest = groups.slice(SHOWN_GROUPS).flatMap(([, group]) => group);
  return [
    ...shown.flatMap(([diff, group]) => [
      "",
      `Lines that change on ${namesOf(group)}:`,
      ...fence("diff", shorten(diff.split("\n"), DIFF_LIMITS)),
    ]),
    ...(rest.length > 0
      ? ["", `${count(rest.length, "more worker")} with other lines, see \`pulumi preview --diff\`: ${namesOf(rest)}`]
      : []),
  ];
}

/** The lines of each file, and those of several files once when they are the same. */
const diffLines = (files: readonly FileChange[]): string[] =>
  [...groupBy(files, ({ lines }) => lines.join("\n"))].flatMap(([lines, group]) => [
    `@@ ${pathsText(group.map(({ path }) => path))} @@`,
    ...lines.split("\n"),
  ]);

function shorten(lines: readonly string[], { lines: most, width, rest }: Limits): string[] {
  const narrow = lines.map((line) => (line.length > width ? `${line.slice(0, width)}…` : line));
  if (narrow.length <= most) return narrow;
  return [...narrow.slice(0, most), `… ${narrow.length - most} more lines, ${rest}`];
}

/** A fenced block. The fence is longer than any in the lines. */
function fence(language: string, lines: readonly string[]): string[] {
  const longest = Math.max(2, ...lines.flatMap((line) => [...line.matchAll(/`+/g)].map(([ticks]) => ticks.length)));
  const ticks = "`".repeat(longest + 1);
  return [`${ticks}${language}`, ...lines, ticks];
}
