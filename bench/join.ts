/** Measures joins: each candidate joins the same workers, one candidate after the other, several times. */
import { endOfLog, readyAt, requestedAt, writesSince } from "./audit";
import type { BenchLab, HostFacts } from "./benchLab";
import { type Candidate, CANDIDATES, joinWith, undo } from "./candidates";

/** The steps of a join, as a worker and the API server see them. */
export const STEPS = ["login", "files", "request", "certificate", "registered", "ready", "rest"] as const;
export type Step = (typeof STEPS)[number];

/** A join of all workers by one candidate. */
export interface Join {
  readonly candidate: Candidate;
  readonly workers: number;
  /** From the command to the last Ready node. */
  readonly seconds: number;
  /** Until the command has ended, too. */
  readonly secondsToEnd: number;
  /** The seconds of each step: of the worker in the middle. The last step is what the command does after its last node is Ready. */
  readonly steps: Readonly<Record<Step, number>>;
  /** SSH logins and bytes of SSH, of a worker. */
  readonly sessions: number;
  readonly bytes: number;
  /** Writes to the API by the candidate and by the kubelets, besides leases and events. */
  readonly writes: number;
}

/** An update of the module, from the command to its end. */
export interface Update {
  readonly workers: number;
  readonly seconds: number;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export const seconds = (from: number, to: number): number => Math.round(to - from) / 1000;

/** Joins the first workers of the lab with each candidate in turn. */
export async function measureRound(
  lab: BenchLab,
  counts: readonly number[],
  say: (text: string) => void,
): Promise<{ joins: Join[]; idle: Update[] }> {
  const joins: Join[] = [];
  const idle: Update[] = [];
  for (const count of counts) {
    await lab.declare(count);
    const workers = lab.workers.slice(0, count).map(({ name }) => name);
    for (const candidate of CANDIDATES) {
      const join = await measureJoin(candidate, lab, workers);
      joins.push(join);
      say(`${count} workers: ${candidate} ${join.seconds.toFixed(1)} s`);
      if (candidate === "module") idle.push({ workers: count, seconds: seconds(...(await lab.pulumi("up"))) });
      await undo(candidate, lab, workers);
    }
  }
  return { joins, idle };
}

/** Joins bare hosts with the module, several times. */
export async function measureBare(
  lab: BenchLab,
  counts: readonly number[],
  rounds: number,
  say: (text: string) => void,
): Promise<Update[]> {
  const updates: Update[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const workers of counts) {
      await lab.declare(workers);
      updates.push({ workers, seconds: seconds(...(await lab.pulumi("up"))) });
      say(`${workers} bare workers: ${updates.at(-1)!.seconds.toFixed(1)} s`);
      await lab.pulumi("destroy");
    }
  }
  return updates;
}

async function measureJoin(candidate: Candidate, lab: BenchLab, workers: string[]): Promise<Join> {
  await lab.onHosts(workers, "reset", candidate, lab.version);
  await lab.onHosts(workers, "zero");
  const start = await endOfLog(lab.auditLog);
  const [begun, ended] = await joinWith(candidate, lab, workers);
  const writes = await whenReady(lab, start, workers);
  const facts = await lab.factsOf(workers, begun);
  const moments = workers.map((worker, i) => {
    const requested = requestedAt(writes, lab.workers[i].address)!;
    return momentsOf(facts[i], begun, requested, readyAt(writes, worker)!);
  });
  const last = Math.max(...moments.map((each) => each.at(-1)!));
  const steps = moments.map((each) => each.slice(1).map((moment, i) => seconds(each[i], moment)));
  const rest = seconds(last, Math.max(last, ended));
  const ofWorker = STEPS.map((step, i) => [step, step === "rest" ? rest : median(steps.map((times) => times[i]))]);
  return {
    candidate,
    workers: workers.length,
    seconds: seconds(begun, last),
    secondsToEnd: seconds(begun, Math.max(last, ended)),
    steps: Object.fromEntries(ofWorker) as Record<Step, number>,
    sessions: median(facts.map(({ logins }) => logins.length)),
    bytes: median(facts.map(({ sshBytes }) => sshBytes)),
    writes: writes.length,
  };
}

/** When each step of a worker began, and when the node was Ready, in milliseconds since 1970. */
function momentsOf(
  { logins, started, certified, registered }: HostFacts,
  begun: number,
  requested: number,
  ready: number,
): number[] {
  const [login, start, certificate, registration] = [logins, started, certified, registered].map(
    ([first]) => first * 1000,
  );
  const moments = [begun, login, start, requested, certificate, registration, ready];
  if (moments.some(Number.isNaN)) throw new Error(`a step of a join has no time: ${moments.join(", ")}`);
  return moments;
}

/** Waits until all nodes have reported that they are Ready. Returns the writes of the join. */
async function whenReady(lab: BenchLab, start: number, workers: readonly string[]) {
  for (const end = Date.now() + 180_000; ;) {
    const writes = await writesSince(lab.auditLog, start);
    const missing = workers.filter((worker) => readyAt(writes, worker) === undefined);
    if (missing.length === 0) return writes;
    if (Date.now() > end) throw new Error(`not Ready: ${missing.join(", ")}`);
    await new Promise((resume) => setTimeout(resume, 200));
  }
}
