// Prints the closing line over jest's JSON results: node test/count.mjs FILE…
import { readFileSync } from "node:fs";
import process from "node:process";

const results = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
const sum = (key) => results.reduce((total, result) => total + result[key], 0);

// A file that cannot even be loaded has no tests to count, and must not look like success.
const failed = sum("numFailedTests") + sum("numRuntimeErrorTestSuites");
process.stdout.write(`\n${sum("numPassedTests")} passed, ${failed} failed, ${sum("numPendingTests")} skipped\n`);
