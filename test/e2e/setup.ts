import { copyFile } from "node:fs/promises";
import { pristineConfig, TestLab } from "./testLab";

/** Brings up the lab that the e2e tests share: a control plane and four bare workers. */
export default async function setup(): Promise<void> {
  const lab = new TestLab();
  console.error(`\nBringing up the lab '${lab.name}' for the e2e tests`);
  await lab.out("down");
  await lab.out("up", "--workers", "4");
  const { configFile } = await lab.facts();
  await copyFile(configFile, pristineConfig(configFile));
}
