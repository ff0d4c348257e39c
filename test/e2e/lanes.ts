import { availableParallelism, totalmem } from "node:os";

/** Memory of a lab with a control plane and four workers, at most. */
const LAB_BYTES = 3 * 2 ** 30;

/** How many labs the e2e tests use side by side: three on two processors, since tests mostly wait. Memory limits the number too. */
export function laneCount(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const asked = Number(env.TLS_BOOTSTRAP_TEST_LANES ?? "");
  return asked || Math.max(1, Math.min(Math.ceil(1.5 * availableParallelism()), Math.floor(totalmem() / LAB_BYTES)));
}

/** Name of the lab of a lane. A lane is a worker of Jest, which numbers them from 1 and runs one file at a time in each. */
export const laneName = (lane: number | string = process.env.JEST_WORKER_ID ?? 1): string => `e2e-${lane}`;
