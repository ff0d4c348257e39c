import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";

const REPOSITORY = resolve(__dirname, "..");

/** Makes an archive for workers that download nothing, as its users do; gives what the tool prints for the settings. */
export async function makeAirGap(...args: string[]): Promise<string> {
  const argv = ["--import", "tsx", resolve(REPOSITORY, "tools/air-gap/main.ts"), ...args];
  return (await promisify(execFile)(process.execPath, argv, { cwd: REPOSITORY })).stdout;
}
