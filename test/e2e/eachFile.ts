import { copyFile } from "node:fs/promises";
import { pristineConfig, TestLab } from "./testLab";

// Real machines join, drain and reboot in these tests. No test measures time by this bound; it only ends a hang.
jest.setTimeout(300_000);

// Each file begins with the settings of a fresh lab, whatever the one before it has made of them.
beforeAll(async () => {
  const { configFile } = await new TestLab().facts();
  await copyFile(pristineConfig(configFile), configFile);
});
