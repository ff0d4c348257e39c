import type { Config } from "@jest/types";
import { CleanLab } from "./cleanLab";
import { laneName } from "./lanes";

/** Brings up the labs of all lanes at once. */
export default async function setup({ maxWorkers }: Config.GlobalConfig): Promise<void> {
  // The sequencer sets the number of files. Jest uses no more workers than files.
  const count = Number(process.env.TLS_BOOTSTRAP_TEST_FILES ?? maxWorkers);
  const names = Array.from({ length: Math.min(count, maxWorkers) }, (_, i) => laneName(i + 1));
  const begin = Date.now();
  say(`Bringing up ${names.length === 1 ? "the lab" : "the labs"} ${names.join(", ")}`);
  await Promise.all(names.map((name) => new CleanLab(name).bringUp((text) => say(`${name}  ${text}`))));
  say(`Up after ${Math.round((Date.now() - begin) / 1000)} s`);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
