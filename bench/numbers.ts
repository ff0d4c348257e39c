/** What follows from the results of a run: medians and ratios. */
import type { Candidate } from "./candidates";
import { median, type Join, type Step, STEPS, type Update } from "./join";
import type { Results } from "./results";

/** The numbers of workers that joined at once. */
export const countsOf = ({ joins }: Results): number[] => [...new Set(joins.map(({ workers }) => workers))];

const joinsOf = ({ joins }: Results, candidate: Candidate, workers: number): Join[] =>
  joins.filter((join) => join.candidate === candidate && join.workers === workers);

/** Median over the rounds. */
export const medianOf = (
  results: Results,
  candidate: Candidate,
  workers: number,
  value: (join: Join) => number,
): number => median(joinsOf(results, candidate, workers).map(value));

/** From the command to the last Ready node. */
export const secondsOf = (results: Results, candidate: Candidate, workers: number): number =>
  medianOf(results, candidate, workers, ({ seconds }) => seconds);

export const stepsOf = (results: Results, candidate: Candidate, workers: number): Record<Step, number> =>
  Object.fromEntries(
    STEPS.map((step) => [step, medianOf(results, candidate, workers, ({ steps }) => steps[step])]),
  ) as Record<Step, number>;

/** Seconds of updates of that many workers. */
export const updateOf = (updates: readonly Update[], workers: number): number =>
  median(updates.filter((each) => each.workers === workers).map(({ seconds }) => seconds));

/** How much longer the module takes than the others. "floor" is the shell loop plus an update of the module that changes nothing. */
export function ratiosOf(results: Results, workers: number): Record<Exclude<Candidate, "module"> | "floor", number> {
  const of = (candidate: Candidate) => secondsOf(results, candidate, workers);
  const own = of("module");
  return {
    pulumi: own / of("pulumi"),
    kubeadm: own / of("kubeadm"),
    ansible: own / of("ansible"),
    shell: own / of("shell"),
    floor: own / (of("shell") + updateOf(results.idle, workers)),
  };
}
