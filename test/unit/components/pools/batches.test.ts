import fc from "fast-check";
import { batchesOf } from "../../../../components/pools/batches";

const workers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

it.each([
  [0, undefined, []],
  [3, undefined, [[1, 2, 3]]],
  [0, { canary: 1, maxUnavailable: 1 }, []],
  [3, { canary: 0, maxUnavailable: 1 }, [[1], [2], [3]]],
  [5, { canary: 0, maxUnavailable: 2 }, [[1, 2], [3, 4], [5]]],
  [5, { canary: 1, maxUnavailable: 2 }, [[1], [2, 3], [4, 5]]],
  [5, { canary: 2, maxUnavailable: 1 }, [[1, 2], [3], [4], [5]]],
  [
    5,
    { canary: 2, maxUnavailable: 100 },
    [
      [1, 2],
      [3, 4, 5],
    ],
  ],
  [2, { canary: 2, maxUnavailable: 1 }, [[1, 2]]],
  [2, { canary: 3, maxUnavailable: 1 }, [[1, 2]]],
])("%d workers with the rollout %j", (count, rollout, batches) =>
  expect(batchesOf(workers(count), rollout)).toEqual(batches),
);

it("each worker is in one batch, in order, and no batch after the canaries is too large", () =>
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 50 }), (count, canary, maxUnavailable) => {
      const batches = batchesOf(workers(count), { canary, maxUnavailable });
      expect(batches.flat()).toEqual(workers(count));
      expect(batches[0]?.length ?? 0).toBeLessThanOrEqual(Math.max(canary, maxUnavailable));
      for (const batch of batches.slice(1)) expect(batch.length).toBeLessThanOrEqual(maxUnavailable);
    }),
  ));
