import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../../repository";
import { parsePreview } from "../../../../tools/summary/preview";
import { renderSummary } from "../../../../tools/summary/render";
import { CHANGES } from "./changeSummaries";
import { LIFE } from "./lifeSummaries";
import { PREVIEWS } from "./recordings";

/** The summaries of previews of the real engine: see recordings.ts for the change of each, and record.ts for how they are recorded. */
const FOLDER = join(__dirname, "previews");
const recorded = (file: string): string => readFileSync(join(FOLDER, `${file}.json`), "utf8");

const CASES = [...CHANGES, ...LIFE];

it.each(CASES)("shows %s (%s)", (_, file, lines) => {
  expect(renderSummary(parsePreview(recorded(file), file)).split("\n")).toEqual(lines);
  // A reviewer reads the summary of one change at a glance.
  expect(lines.length).toBeLessThanOrEqual(15);
});

it("every recording has a summary here", () => {
  const names = PREVIEWS.map(({ file }) => file).sort();
  expect(CASES.map(([, file]) => file).sort()).toEqual(names);
  expect(readdirSync(FOLDER).sort()).toEqual(names.map((name) => `${name}.json`).sort());
});

it.each(["kubelet-setting", "rollout-version", "moved", "server"])(
  "docs/pull-requests.md shows %s as it is",
  (file) => {
    const page = readFileSync(join(REPOSITORY, "docs", "pull-requests.md"), "utf8");
    expect(page).toContain(`\`\`\`text\n${renderSummary(parsePreview(recorded(file), file))}\n\`\`\``);
  },
);

it("no recording has a secret, or a path or address of the machine that recorded it", () => {
  for (const { file } of PREVIEWS) {
    const text = recorded(file);
    expect(text).not.toMatch(/PRIVATE KEY|\b[a-z0-9]{6}\.[a-z0-9]{16}\b|\/root\/|\/home\/|\b10\.89\./);
  }
});
