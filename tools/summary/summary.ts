/**
 * Summarizes previews for the reviewers of a pull request, as Markdown: `npm run summary -- PREVIEW.json…`. Each file is what
 * `pulumi preview --json` has printed for one stack. `-` reads standard input.
 */
import { readFileSync } from "node:fs";
import { parsePreview } from "./preview";
import { renderSummary } from "./render";

const USAGE = `usage: npm run summary -- PREVIEW.json…

Write a file with: pulumi preview --json > PREVIEW.json`;

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new Error(`${file}: cannot be read: ${(error as Error).message}`);
  }
}

function main(files: readonly string[]): void {
  if (files.length === 0) throw new Error(USAGE);
  console.log(
    files.map((file) => renderSummary(parsePreview(read(file), file === "-" ? "standard input" : file))).join("\n\n"),
  );
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
