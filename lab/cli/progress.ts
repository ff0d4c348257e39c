import { Listr, ListrLogger, type ListrTask, PRESET_TIMER, ProcessOutput } from "listr2";
import { messageOf } from "../host/labError";
import type { Say } from "../host/say";

export interface Step {
  readonly title: string;
  readonly run?: (say: Say) => Promise<void>;
  /** Steps within this one. They are listed when this step begins. */
  readonly steps?: () => readonly Step[] | Promise<readonly Step[]>;
  readonly concurrent?: boolean;
  /** Why the step has nothing to do, or false. */
  readonly skip?: () => string | false;
}

/**
 * Runs steps one after another and shows each with its elapsed time. Without a terminal it prints plain lines.
 * @param json whether a program reads standard output; progress then goes to standard error
 */
export async function runSteps(steps: readonly Step[], { json }: { readonly json?: boolean }): Promise<void> {
  const stream = json ? process.stderr : process.stdout;
  const processOutput = new ProcessOutput(stream, stream);
  const runner = new Runner();
  const list = new Listr<unknown, "default" | "simple">(steps.map(runner.task), {
    renderer: stream.isTTY ? "default" : "simple",
    rendererOptions: {
      timer: PRESET_TIMER,
      collapseSubtasks: false,
      showErrorMessage: false,
      logger: new ListrLogger({ useIcons: true, processOutput }),
    },
    fallbackRendererCondition: false,
    registerSignalListeners: false,
  });
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  try {
    await list.run();
  } catch (error) {
    throw await runner.failure(error);
  } finally {
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

function interrupted(): never {
  console.error("\nInterrupted. Run the same command again to continue, or remove the lab: npm run lab -- down");
  process.exit(130);
}

/** Runs the steps of a list. After a failure it begins no other step, and waits for those that run before it reports. */
class Runner {
  #failure: unknown;
  readonly #running = new Set<Promise<unknown>>();

  readonly task = ({ title, run, steps, concurrent, skip }: Step): ListrTask => ({
    title,
    skip,
    task: (_context, task) =>
      this.#guard(async () => {
        await run?.((text) => void (task.output = text));
        return steps && task.newListr((await steps()).map(this.task), { concurrent });
      }),
  });

  async #guard<T>(action: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) {
      throw new Error("skipped after a failure");
    }
    const work = action();
    this.#running.add(work);
    try {
      return await work;
    } catch (error) {
      this.#failure ??= error;
      // The list shows the first line. The command prints the whole error at its end.
      throw new Error(messageOf(error).split("\n")[0], { cause: error });
    } finally {
      this.#running.delete(work);
    }
  }

  async failure(otherwise: unknown): Promise<unknown> {
    while (this.#running.size > 0) {
      await Promise.allSettled(this.#running);
    }
    return this.#failure ?? otherwise;
  }
}
