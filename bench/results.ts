/** The results of a run: numbers, and where they were measured. */
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { REPOSITORY } from "../test/repository";
import type { BenchLab } from "./benchLab";
import type { Change } from "./change";
import type { Join, Update } from "./join";

export interface Results {
  readonly date: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly joins: readonly Join[];
  /** Updates of the module that change nothing. */
  readonly idle: readonly Update[];
  readonly changes: readonly Change[];
  /** Joins of hosts without binaries and runtime, to the end of the command. Empty after a quick run. */
  readonly bare: readonly Update[];
}

/** The results that docs/performance.md shows, and those of the last quick run. */
const fileOf = (name: "recorded" | "quick"): string => join(REPOSITORY, "bench", "results", `${name}.json`);

export const readRecorded = async (): Promise<Results> =>
  JSON.parse(await readFile(fileOf("recorded"), "utf8")) as Results;

export async function saveResults(name: "recorded" | "quick", results: Results): Promise<void> {
  const file = fileOf(name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
}

export async function describeRun(lab: BenchLab): Promise<Pick<Results, "date" | "machine" | "versions">> {
  const { cli, plugins } = await lab.lab.facts();
  const firstLine = (text: string) => text.split("\n")[0];
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      processors: `${cpus().length} × ${cpus()[0].model}`,
      memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
      kernel: `Linux ${release()}`,
    },
    versions: {
      node: process.version,
      kubernetes: lab.version,
      pulumi: `${cli}; ${plugins}`,
      ansible: firstLine(execFileSync("ansible", ["--version"], { encoding: "utf8" })),
      containerd: (await lab.lab.exec(lab.workers[0].name, "containerd", "--version")).trim(),
    },
  };
}
