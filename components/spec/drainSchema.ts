/** How the pods of a node are evicted before the node leaves or gets another minor version of Kubernetes. */
import { z } from "zod";

const timeoutSeconds = z
  .int()
  .min(1)
  .max(86_400)
  .describe(
    "How long an update waits for the pods of a node to end, in seconds. After that the update fails. A node that is being removed stays cordoned then, another one does not. Raise it where pods take longer to end, or to start elsewhere.",
  );

const REFUSE_OR_DELETE = ["refuse", "delete"] as const;

const barePods = z
  .enum(REFUSE_OR_DELETE)
  .describe(
    "What to do about pods without a controller, which nothing starts again. `refuse`: the update fails and names them. `delete`: they are evicted.",
  );

const emptyDirData = z
  .enum(REFUSE_OR_DELETE)
  .describe(
    "What to do about pods with `emptyDir` volumes, whose data is lost. `refuse`: the update fails and names them. `delete`: they are evicted.",
  );

export const drainSchema = z
  .strictObject({
    timeoutSeconds: timeoutSeconds.default(300),
    barePods: barePods.default("refuse"),
    emptyDirData: emptyDirData.default("refuse"),
  })
  .meta({ id: "DrainSpec" });

export type Drain = z.output<typeof drainSchema>;

/** What a pool overrides. A field that it leaves out is inherited, so no field has a default here. */
export const poolDrainSchema = z
  .strictObject({ timeoutSeconds, barePods, emptyDirData })
  .partial()
  .meta({ ts: "DrainSpec" });

/** What a pool's nodes have. Each field of the pool overrides the one for all pools. */
export const resolvedDrain = (all: Drain, pool: z.output<typeof poolDrainSchema> = {}): Drain => ({
  timeoutSeconds: pool.timeoutSeconds ?? all.timeoutSeconds,
  barePods: pool.barePods ?? all.barePods,
  emptyDirData: pool.emptyDirData ?? all.emptyDirData,
});
