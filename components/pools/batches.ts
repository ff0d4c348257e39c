import type { Rollout } from "../spec/rolloutSchema";

/**
 * Divides workers into the batches that change one after the other, in the order of the workers: the canaries, then at most
 * `maxUnavailable` workers at a time. Without a rollout all workers are one batch. No batch is empty.
 */
export function batchesOf<T>(
  workers: readonly T[],
  rollout?: Pick<Rollout, "canary" | "maxUnavailable">,
): readonly T[][] {
  const { canary, maxUnavailable } = rollout ?? { canary: 0, maxUnavailable: workers.length };
  const batches = [workers.slice(0, canary)];
  for (let first = canary; first < workers.length; first += maxUnavailable)
    batches.push(workers.slice(first, first + maxUnavailable));
  return batches.filter((batch) => batch.length > 0);
}
