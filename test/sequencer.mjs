import Sequencer from "@jest/test-sequencer";

/** The e2e files share one lab, so they run in one order everywhere: jest's own depends on how long each took last time on a machine. */
export default class extends Sequencer {
  sort(tests) {
    return tests.some(({ context }) => context.config.displayName?.name === "e2e")
      ? [...tests].sort((a, b) => a.path.localeCompare(b.path))
      : super.sort(tests);
  }
}
