import { availableParallelism, totalmem } from "node:os";

/** What a lab with a control plane and four workers takes at most. */
const LAB_BYTES = 3 * 2 ** 30;

/** How many labs the e2e tests use side by side: three for two processors, since in most of a test's time somebody waits. */
export function laneCount(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const asked = Number(env.TLS_BOOTSTRAP_TEST_LANES ?? "");
  return asked || Math.max(1, Math.min(Math.ceil(1.5 * availableParallelism()), Math.floor(totalmem() / LAB_BYTES)));
}

/** Name of the lab of a lane. Jest numbers its workers from 1, and each of them runs one file at a time. */
export const laneName = (lane: number | string = process.env.JEST_WORKER_ID ?? 1): string => `e2e-${lane}`;
