/** How a change reaches the workers of a pool. */
import { z } from "zod";

const MAX_UNAVAILABLE = "must be a number of workers, at least 1, or a percentage of the pool's workers such as 25%";
const PERCENTAGE = /^([1-9]\d?|100)%$/;

export const rolloutSchema = z
  .strictObject({
    canary: z.int().min(0).default(0).describe("How many workers change first, as a batch of their own. `0`: none."),
    maxUnavailable: z
      .union([z.int().min(1, MAX_UNAVAILABLE), z.string().regex(PERCENTAGE, MAX_UNAVAILABLE)], MAX_UNAVAILABLE)
      .default(1)
      .describe(
        "How many workers change at the same time. A number, or a percentage of the pool's workers such as `25%`, rounded down to at least 1. Lost workers do not count.",
      ),
    pauseSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(0)
      .describe("How long each changed worker must stay healthy before its batch counts as done, in seconds."),
  })
  .meta({ id: "RolloutSpec" });

/** A rollout for a pool whose workers are known. */
export interface Rollout {
  readonly canary: number;
  readonly maxUnavailable: number;
  readonly pauseSeconds: number;
}

/** @param workers how many of them can change. */
export function resolvedRollout({ maxUnavailable, ...rest }: z.output<typeof rolloutSchema>, workers: number): Rollout {
  const most =
    typeof maxUnavailable === "number" ? maxUnavailable : Math.floor((workers * parseInt(maxUnavailable, 10)) / 100);
  return { ...rest, maxUnavailable: Math.max(1, most) };
}
