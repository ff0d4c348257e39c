/** Prints results as Markdown, and compares a quick run with the recorded one. */
import { CANDIDATES } from "./candidates";
import { STEPS } from "./join";
import { countsOf, medianOf, ratiosOf, secondsOf, stepsOf, updateOf } from "./numbers";
import type { Results } from "./results";

/** A ratio of a quick run has one round, and the machine has other work. */
const TOLERANCE = 1.4;

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const tenths = (value: number): string => value.toFixed(1);
const hundredths = (value: number): string => value.toFixed(2);

export function render(results: Results): string {
  const counts = countsOf(results);
  const largest = Math.max(...counts);
  const joins = counts.map((workers) => [
    workers,
    ...CANDIDATES.map((candidate) => tenths(secondsOf(results, candidate, workers))),
    tenths(medianOf(results, "module", workers, ({ secondsToEnd }) => secondsToEnd)),
    tenths(updateOf(results.idle, workers)),
    tenths((60 * workers) / secondsOf(results, "module", workers)),
  ]);
  const ratios = counts.map((workers) => {
    const { pulumi, kubeadm, ansible, shell, floor } = ratiosOf(results, workers);
    return [workers, ...[pulumi, kubeadm, ansible, shell, floor].map(hundredths)];
  });
  const steps = CANDIDATES.map((candidate) => {
    const times = stepsOf(results, candidate, largest);
    return [candidate, ...STEPS.map((step) => hundredths(times[step]))];
  });
  const traffic = CANDIDATES.map((candidate) => [
    candidate,
    medianOf(results, candidate, largest, ({ sessions }) => sessions),
    Math.round(medianOf(results, candidate, largest, ({ bytes }) => bytes) / 1000),
    tenths(medianOf(results, candidate, largest, ({ writes }) => writes) / largest),
  ]);
  const changes = results.changes.map(({ change, workers, seconds, sessions, bytes, writes }) => [
    ...[workers, change, tenths(seconds), Object.values(sessions).reduce((sum, each) => sum + each, 0)],
    ...[Math.round(bytes / 1000), writes],
  ]);
  const bare = counts.map((workers) => [workers, tenths(updateOf(results.bare, workers))]);
  return [
    "Seconds from the command to the last Ready node:",
    table(["workers", ...CANDIDATES, "module, to its end", "idle update", "nodes a minute, module"], joins),
    ...(results.bare.length > 0
      ? ["Seconds of the module with bare hosts, to its end:", table(["workers", "s"], bare)]
      : []),
    "The module's time in relation to others:",
    table(["workers", "pulumi", "kubeadm", "ansible", "shell", "shell + idle update"], ratios),
    `Seconds of each step, with ${largest} workers at once:`,
    table(["", ...STEPS], steps),
    `For each of ${largest} workers:`,
    table(["", "SSH logins", "KB by SSH", "API writes"], traffic),
    "Changes:",
    table(["workers", "change", "s", "SSH logins", "KB by SSH", "API writes"], changes),
  ].join("\n\n");
}

/** Says which ratios of the module are worse than in the recorded run. */
export function compare(now: Results, recorded: Results): string {
  const rows = countsOf(now)
    .filter((workers) => countsOf(recorded).includes(workers))
    .flatMap((workers) => {
      const [was, is] = [ratiosOf(recorded, workers), ratiosOf(now, workers)];
      return (Object.keys(was) as (keyof typeof was)[]).map((other) => {
        const verdict = is[other] > TOLERANCE * was[other] ? "SLOWER" : "as recorded, or faster";
        return [workers, other, hundredths(was[other]), hundredths(is[other]), verdict];
      });
    });
  return [
    `Ratios of the module to others, compared with the run of ${recorded.date}:`,
    table(["workers", "ratio to", "recorded", "now", ""], rows),
  ].join("\n\n");
}
