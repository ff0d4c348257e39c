import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Status } from "../../lab/cli/status";
import { findLab } from "../../lab/labState";
import { CleanLab } from "./cleanLab";
import { laneName } from "./lanes";
import { TestLab } from "./testLab";

/** Records which Pulumi was used, and removes the labs of all lanes. */
export default async function teardown(): Promise<void> {
  await recordPulumi(new TestLab(laneName(1)));
  for (let lane = 1; await findLab(laneName(lane)).catch(() => true); lane++)
    await new CleanLab(laneName(lane)).takeDown();
}

/** Stores a line about the CLI and the plugins, which test/count.mjs prints. */
async function recordPulumi(lab: TestLab): Promise<void> {
  const folder = process.env.TLS_BOOTSTRAP_TEST_RESULTS;
  const { cli, plugins } = (await lab.facts().catch(() => ({}))) as Partial<Status>;
  if (folder && cli) await writeFile(join(folder, "pulumi.txt"), `${[cli, plugins].filter(Boolean).join("; ")}\n`);
}
