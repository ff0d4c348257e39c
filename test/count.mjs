// Prints the last lines of a test run: node test/count.mjs [OPTION] FOLDER PROJECT…
//   --table   all but the last line, which counts the tests
//   --line    the beginning of each failure, and the last line
//   --record  prints nothing, and stores the seconds of each passed e2e file for the sequencer
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { URL } from "node:url";
import { stripVTControlCharacters } from "node:util";

const LENGTHS = new URL("e2e/lengths.json", import.meta.url);

const [option] = process.argv.slice(2).filter((word) => word.startsWith("--"));
const [folder, ...projects] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const say = (text) => process.stdout.write(`${text}\n`);

/** The results of a project's files; undefined when the run did not finish, or the labs did not come up. */
const filesOf = (project) => {
  const file = join(folder, `${project}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
};
const inLab = projects
  .filter((project) => project !== "unit")
  .flatMap((project) => filesOf(project) ?? [])
  .sort((a, b) => b.seconds - a.seconds);

if (option === "--record") record();
if (option === undefined || option === "--table") table();
if (option === "--line") failures();
if (option === undefined || option === "--line") count();

function record() {
  const lengths = JSON.parse(readFileSync(LENGTHS, "utf8"));
  for (const { file, seconds, failed } of inLab) if (failed === 0) lengths[file] = seconds;
  const sorted = Object.fromEntries(Object.entries(lengths).sort(([a], [b]) => a.localeCompare(b)));
  writeFileSync(LENGTHS, `${JSON.stringify(sorted, null, 2)}\n`);
}

/** The Pulumi in use, and a row for each e2e file. */
function table() {
  const pulumi = join(folder, "pulumi.txt");
  if (existsSync(pulumi)) say(`\n${readFileSync(pulumi, "utf8").trim()}`);
  if (inLab.length === 0) return;
  const width = Math.max(...inLab.map(({ file }) => file.length), "E2E FILE".length);
  const row = (file, ...cells) => say([file.padEnd(width), ...cells.map((cell) => String(cell).padStart(9))].join(""));
  say("");
  row("E2E FILE", "SECONDS", "PASSED", "FAILED", "SKIPPED");
  for (const { file, seconds, passed, failed, skipped } of inLab) row(file, seconds, passed, failed, skipped);
  say("");
}

/** The beginnings of the failures, because the end of a long log is what its readers see first. */
function failures() {
  const ofProject = (project) => (filesOf(project) ?? []).map((file) => ({ project, ...file }));
  for (const { project, file, message } of projects.flatMap(ofProject)) {
    if (!message) continue;
    const lines = stripVTControlCharacters(message)
      .split("\n")
      .filter((line) => line.trim());
    say(`Failed in ${project}, ${file}:\n${lines.slice(0, 20).join("\n")}\n`);
  }
}

function count() {
  const files = projects.flatMap((project) => filesOf(project) ?? [{ passed: 0, failed: 1, skipped: 0 }]);
  const sum = (key) => files.reduce((total, file) => total + file[key], 0);
  say(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
}
