import { readFileSync } from "node:fs";
import { relative } from "node:path";
import process from "node:process";
import { fileURLToPath, URL } from "node:url";
import Sequencer from "@jest/test-sequencer";

const E2E = fileURLToPath(new URL("e2e", import.meta.url));
const LENGTHS = JSON.parse(readFileSync(new URL("e2e/lengths.json", import.meta.url), "utf8"));
/** Seconds for a file without a measurement: such a file begins early, in case it is long. */
const UNKNOWN = 150;

/** How long an e2e file takes, in seconds. */
const lengthOf = ({ path }) => LENGTHS[relative(E2E, path).replace(/\.test\.ts$/, "")] ?? UNKNOWN;

/** Sorts the longest files first, so that all lanes end at about the same time. Jest gives the next file to the next free lane. */
export default class extends Sequencer {
  sort(tests) {
    if (!tests.some(({ path }) => path.startsWith(E2E))) return super.sort(tests);
    process.env.TLS_BOOTSTRAP_TEST_FILES = String(tests.length);
    return [...tests].sort((a, b) => lengthOf(b) - lengthOf(a) || a.path.localeCompare(b.path));
  }
}
