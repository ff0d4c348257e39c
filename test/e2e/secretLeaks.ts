import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestLab } from "./testLab";

/**
 * Searches for secrets in the output of the lab's commands, the state, logs and settings, the workers' journals, and the words of processes.
 * @param secrets by name
 * @param counts whether to search an output; the output of a command that was asked for a secret is no leak
 * @returns name and place of each leak
 */
export async function findLeaks(
  lab: TestLab,
  secrets: Readonly<Record<string, string>>,
  processes: readonly string[],
  counts: (text: string) => boolean = () => true,
): Promise<string[]> {
  const { stateDir, configFile, workers } = await lab.facts();
  const places: Record<string, string> = {
    transcript: lab.transcript.filter(counts).join("\n"),
    processes: processes.join("\n"),
    settings: await readFile(configFile, "utf8"),
  };
  for (const folder of ["logs", "state", "pulumi"])
    for (const [file, text] of await textsBelow(join(stateDir, folder))) places[file] = text;
  for (const { name } of workers) places[`journal of ${name}`] = await lab.shell(name, "journalctl --no-pager -o cat");
  if (Object.keys(places).length < 8) throw new Error(`only ${Object.keys(places).join(", ")} were searched`);
  return Object.entries(places).flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) => (text.includes(secret) ? [`${name} in ${place}`] : [])),
  );
}

async function textsBelow(folder: string): Promise<[string, string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (file): Promise<[string, string]> => [file, await readFile(file, "latin1")]));
}
