import { relative } from "node:path";
import type { Circus } from "@jest/types";
import { TestEnvironment } from "jest-environment-node";
import { CleanLab } from "./cleanLab";
import { laneName } from "./lanes";

/**
 * Runs an e2e file in the lab of its lane. A test builds on the tests before it, so the tests after a failed one are skipped. The tests of
 * a file with `@independent` in its first comment do not need each other. A file that has passed must leave the lab as it found it.
 */
export default class LabEnvironment extends TestEnvironment {
  readonly #file: string;
  readonly #isStory: boolean;
  readonly #lab = new CleanLab(laneName());
  #hasFailed = false;
  /** Whether a `beforeAll` has failed, and no test has reported it yet. */
  #isHookToReport = false;

  constructor(...[config, context]: ConstructorParameters<typeof TestEnvironment>) {
    super(config, context);
    this.#file = relative(__dirname, context.testPath).replace(/\.test\.ts$/, "");
    this.#isStory = !("independent" in context.docblockPragmas);
  }

  override async setup(): Promise<void> {
    await super.setup();
    await this.#lab.begin(this.#file, this.#say);
    this.#say(`${this.#file} begins`);
  }

  handleTestEvent = async (event: Circus.Event, state: Circus.State): Promise<void> => {
    const skipsRest = this.#hasFailed && this.#isStory;
    if (event.name === "run_describe_start" && skipsRest) {
      if (this.#isHookToReport) event.describeBlock.hooks.length = 0;
      else event.describeBlock.mode = "skip";
    } else if (event.name === "test_start") {
      // Jest adds the error of a `beforeAll` to each test. Only the first one reports it.
      if (event.test.errors.length > 0 ? !this.#isHookToReport : skipsRest) skip(event.test);
    } else if (event.name === "test_started") {
      this.#isHookToReport = false;
    } else if (event.name === "test_fn_failure") {
      this.#hasFailed = true;
    } else if (event.name === "hook_failure") {
      this.#hasFailed = true;
      this.#isHookToReport = event.hook.type === "beforeAll";
    } else if (event.name === "run_finish" && !this.#hasFailed && state.unhandledErrors.length === 0) {
      const error = await this.#lab.end(this.#file);
      if (error) state.unhandledErrors.push(error);
    }
  };

  #say = (text: string): void => void process.stderr.write(`${this.#lab.name}  ${text}\n`);
}

function skip(test: Circus.TestEntry): void {
  test.errors.length = 0;
  test.mode = "skip";
}
