/**
 * Measures the module beside what users would pick instead: npm run bench [-- --quick | --workers 1,3,10,20 --rounds 3]
 * All candidates join the workers of one lab, in turns. Prints Markdown. Writes bench/results and the plots of docs/performance.md.
 * --quick takes less than five minutes, and compares its ratios with the recorded ones.
 */
import { parseArgs } from "node:util";
import { BenchLab } from "./benchLab";
import { broken, measureChanges } from "./change";
import { measureBare, measureRound } from "./join";
import { drawPlots } from "./plots";
import { compare, render } from "./report";
import { describeRun, readRecorded, type Results, saveResults } from "./results";

const QUICK = { counts: [1, 3], rounds: 1, name: "quick" } as const;

interface Plan {
  readonly counts: readonly number[];
  readonly rounds: number;
  /** See {@link saveResults}. */
  readonly name: "recorded" | "quick";
}

const say = (text: string) => console.error(text);

/** Saves the results after each round, so that an interrupted run loses one round. */
async function measure({ counts, rounds, name }: Plan): Promise<Results> {
  const largest = Math.max(...counts);
  const lab = await BenchLab.up(largest);
  try {
    let results: Results = { ...(await describeRun(lab)), joins: [], idle: [], changes: [], bare: [] };
    for (const count of counts.filter((each) => each > 1))
      results = { ...results, changes: [...results.changes, ...(await measureChanges(lab, count - 1, say))] };
    for (let round = 0; round < rounds; round++) {
      const { joins, idle } = await measureRound(lab, counts, say);
      results = { ...results, joins: [...results.joins, ...joins], idle: [...results.idle, ...idle] };
      await saveResults(name, results);
    }
    return results;
  } finally {
    await lab.lab.run("down");
  }
}

/** Adds joins of bare hosts, in a lab of their own. */
async function addBare(results: Results, { counts, rounds, name }: Plan): Promise<Results> {
  const lab = await BenchLab.upBare(Math.max(...counts));
  try {
    const complete = { ...results, bare: await measureBare(lab, counts, rounds, say) };
    await saveResults(name, complete);
    return complete;
  } finally {
    await lab.lab.run("down");
  }
}

async function main(): Promise<void> {
  const options = { quick: { type: "boolean" }, workers: { type: "string" }, rounds: { type: "string" } } as const;
  const { values } = parseArgs({ options });
  const counts = values.workers?.split(",").map(Number) ?? [1, 3, 10, 20];
  const plan: Plan = values.quick ? QUICK : { counts, rounds: Number(values.rounds ?? 3), name: "recorded" };
  const joined = await measure(plan);
  const results = values.quick ? joined : await addBare(joined, plan);
  console.log(render(results));
  if (values.quick) console.log(`\n${compare(results, await readRecorded())}`);
  else await drawPlots(results);
  const problems = broken(results.changes);
  for (const problem of problems) console.error(`error: ${problem}`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

void main();
