import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { setInterval } from "node:timers";
import { fileURLToPath, URL } from "node:url";

const E2E = fileURLToPath(new URL("e2e", import.meta.url));
const EVERY_MS = 60_000;

const say = (text) => process.stderr.write(`${text}\n`);
const seconds = (from, to) => Math.round((to - from) / 1000);
const isE2e = (path) => path.startsWith(E2E);
const nameOf = (path) => relative(E2E, path).replace(/\.test\.ts$/, "");

/**
 * Shows the progress of e2e tests: every minute the files that run, at once each failure, and a line for each file that ends. The test
 * environment shows where a file begins. Writes the results of each project to the folder TLS_BOOTSTRAP_TEST_RESULTS.
 */
export default class {
  #projects = {};
  /** The running files by path: when they began, and how many of their tests have passed. */
  #running = new Map();

  onRunStart() {
    setInterval(() => {
      const files = [...this.#running].flatMap(([path, { begin, passed }]) =>
        isE2e(path) ? [`${nameOf(path)} (${seconds(begin, Date.now())} s, ${passed} passed)`] : [],
      );
      if (files.length > 0) say(`running ${files.join(", ")}`);
    }, EVERY_MS).unref();
  }

  onTestFileStart({ path }) {
    this.#running.set(path, { begin: Date.now(), passed: 0 });
  }

  onTestCaseResult({ path }, { status, fullName }) {
    if (status === "passed") this.#running.get(path).passed++;
    if (status === "failed" && isE2e(path)) say(`FAILED  ${nameOf(path)}: ${fullName}`);
  }

  onTestFileResult({ path, context }, { testExecError, failureMessage, ...counts }, { numTotalTestSuites }) {
    const files = (this.#projects[context.config.displayName.name] ??= []);
    const result = {
      file: nameOf(path),
      seconds: seconds(this.#running.get(path).begin, Date.now()),
      passed: counts.numPassingTests,
      // A file that cannot be loaded has no tests, and counts as a failure.
      failed: counts.numFailingTests + (testExecError ? 1 : 0),
      skipped: counts.numPendingTests,
      message: failureMessage ?? testExecError?.message,
    };
    files.push(result);
    this.#running.delete(path);
    if (!isE2e(path)) return;
    const { passed, failed, skipped } = result;
    const parts = [
      `${passed} passed`,
      ...(failed ? [`${failed} failed`] : []),
      ...(skipped ? [`${skipped} skipped`] : []),
    ];
    const which = `file ${files.length} of ${numTotalTestSuites}`;
    say(`${failed ? "FAILED" : "passed"}  ${result.file} in ${result.seconds} s: ${parts.join(", ")} (${which})`);
    if (failed) say(failureMessage ?? testExecError.message);
  }

  onRunComplete() {
    const folder = process.env.TLS_BOOTSTRAP_TEST_RESULTS;
    if (!folder) return;
    for (const [project, files] of Object.entries(this.#projects))
      writeFileSync(join(folder, `${project}.json`), JSON.stringify(files));
  }
}
