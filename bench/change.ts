/** Measures changes of a stack whose workers have joined: what each costs in time, SSH and writes to the API. */
import { endOfLog, type Write, writesSince } from "./audit";
import type { BenchLab } from "./benchLab";
import { undo } from "./candidates";
import { seconds } from "./join";

export const CHANGES = ["no change", "one setting of each", "one more worker", "one worker less"] as const;

/** What an update of the module cost. */
export interface Change {
  readonly change: (typeof CHANGES)[number];
  /** How many workers had joined before. */
  readonly workers: number;
  readonly seconds: number;
  /** SSH logins of each worker of the lab. */
  readonly sessions: Readonly<Record<string, number>>;
  /** Bytes of SSH, of all workers. */
  readonly bytes: number;
  /** Writes to the API by the CLI and by steps on the workers. */
  readonly writes: number;
}

/** The CLI's requests are those of the administrator, and the steps use kubectl. The rest are kubelets and controllers. */
const isOurs = ({ user, userAgent }: Write): boolean =>
  user.username === "lab-admin" || userAgent?.startsWith("kubectl/") === true;

async function measure(lab: BenchLab, change: Change["change"], workers: number): Promise<Change> {
  const all = lab.workers.map(({ name }) => name);
  await lab.onHosts(all, "zero");
  const start = await endOfLog(lab.auditLog);
  const [begun, ended] = await lab.pulumi("up");
  const facts = await lab.factsOf(all, begun);
  return {
    ...{ change, workers, seconds: seconds(begun, ended) },
    sessions: Object.fromEntries(all.map((name, i) => [name, facts[i].logins.length])),
    bytes: facts.reduce((sum, { sshBytes }) => sum + sshBytes, 0),
    writes: (await writesSince(lab.auditLog, start)).filter(isOurs).length,
  };
}

/** Joins `count` workers and measures each change. The lab needs one worker more. */
export async function measureChanges(lab: BenchLab, count: number, say: (text: string) => void): Promise<Change[]> {
  const all = lab.workers.map(({ name }) => name);
  await lab.onHosts(all, "reset", "module", lab.version);
  await lab.declare(count);
  await lab.pulumi("up");
  const changes: Change[] = [];
  const add = async (change: Change["change"], workers: number): Promise<void> => {
    changes.push(await measure(lab, change, workers));
    say(`${count} workers, ${change}: ${changes.at(-1)!.seconds.toFixed(1)} s`);
  };
  await add("no change", count);
  await lab.declare(count, { maxPods: 50 });
  await add("one setting of each", count);
  await lab.declare(count + 1, { maxPods: 50 });
  await add("one more worker", count);
  await lab.declare(count, { maxPods: 50 });
  await add("one worker less", count + 1);
  await lab.declare(count, { maxPods: undefined });
  await undo("module", lab, all);
  return changes;
}

/** What must hold on any machine. */
export function broken(changes: readonly Change[]): string[] {
  return changes.flatMap(({ change, workers, sessions, writes }) => {
    const visited = Object.keys(sessions).filter((name) => sessions[name] > 0);
    const added = `worker-${workers + 1}`;
    switch (change) {
      case "no change":
        return visited.length + writes > 0
          ? [
              `an update of ${workers} workers without a change opened SSH sessions to ${visited.join(", ") || "none"} and made ${writes} writes`,
            ]
          : [];
      case "one more worker":
        return visited.join() === added ? [] : [`${added} was added, but SSH sessions went to ${visited.join(", ")}`];
      case "one setting of each":
      case "one worker less":
        return [];
    }
  });
}
