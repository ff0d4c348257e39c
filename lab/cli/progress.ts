import { Listr, ListrLogger, type ListrTask, PRESET_TIMER, ProcessOutput } from "listr2";
import { messageOf } from "../host/labError";
import type { Say } from "../host/say";

export interface Step {
  readonly title: string;
  readonly run?: (say: Say) => Promise<void>;
  /** Steps within this one: the whole list is known when it begins. */
  readonly steps?: () => readonly Step[] | Promise<readonly Step[]>;
  readonly concurrent?: boolean;
  /** Why there is nothing to do. */
  readonly skip?: () => string | false;
}

/**
 * Runs steps one after another, showing each with its elapsed time; plain lines when nobody watches.
 * @param json progress goes to standard error, because standard output is for a program to read
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
  console.error("\nInterrupted. The same command goes on from there; `npm run lab -- down` removes what there is.");
  process.exit(130);
}

/** Keeps the first failure whole, and sees to it that nothing is still at work when it is reported. */
class Runner {
  #failure: unknown;
  readonly #atWork = new Set<Promise<unknown>>();

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
      throw new Error("not begun");
    }
    const work = action();
    this.#atWork.add(work);
    try {
      return await work;
    } catch (error) {
      this.#failure ??= error;
      // The list shows one line for it; the whole is told at the end.
      throw new Error(messageOf(error).split("\n")[0], { cause: error });
    } finally {
      this.#atWork.delete(work);
    }
  }

  async failure(otherwise: unknown): Promise<unknown> {
    while (this.#atWork.size > 0) {
      await Promise.allSettled(this.#atWork);
    }
    return this.#failure ?? otherwise;
  }
}
