import { Listr, ListrLogger, type ListrTask, PRESET_TIMER, ProcessOutput } from "listr2";
import { messageOf } from "./errors";

/** A step may say what it is doing right now. */
export type Say = (text: string) => void;

export interface Step {
  readonly title: string;
  readonly run?: (say: Say) => Promise<void>;
  /** Steps within this one: the whole list is known when it begins. */
  readonly steps?: () => readonly Step[] | Promise<readonly Step[]>;
  readonly concurrent?: boolean;
  /** Why there is nothing to do. */
  readonly skip?: () => string | false;
}

export interface ProgressOptions {
  /** Progress goes to standard error, because standard output is for a program to read. */
  readonly json?: boolean;
}

/** Runs steps one after another, showing each with its elapsed time; plain lines when nobody watches. */
export async function runSteps(steps: readonly Step[], options: ProgressOptions = {}): Promise<void> {
  const stream = options.json ? process.stderr : process.stdout;
  const output = new ProcessOutput(stream, stream);
  const rendererOptions = stream.isTTY
    ? {
        timer: PRESET_TIMER,
        collapseSubtasks: false,
        showErrorMessage: false,
        logger: new ListrLogger({ processOutput: output }),
      }
    : { timer: PRESET_TIMER, logger: new ListrLogger({ useIcons: true, processOutput: output }) };
  const runner = new Runner();
  const list = new Listr<unknown, "default" | "simple">(
    steps.map((step) => runner.task(step)),
    {
      renderer: stream.isTTY ? "default" : "simple",
      rendererOptions,
      fallbackRendererCondition: false,
      registerSignalListeners: false,
    },
  );
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  try {
    await list.run();
  } catch (error) {
    await runner.settled();
    throw runner.failure ?? error;
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
  failure: unknown;
  readonly #atWork = new Set<Promise<unknown>>();

  task(step: Step): ListrTask {
    return {
      title: step.title,
      skip: () => step.skip?.() ?? false,
      task: async (_context, task) => {
        if (step.steps) {
          const steps = await this.#guard(async () => step.steps!());
          return task.newListr(
            steps.map((inner) => this.task(inner)),
            { concurrent: step.concurrent ?? false },
          );
        }
        await this.#guard(async () => step.run?.((text) => void (task.output = text)));
        return undefined;
      },
    };
  }

  async #guard<T>(action: () => Promise<T>): Promise<T> {
    if (this.failure !== undefined) {
      throw new Error("not begun");
    }
    const work = action();
    this.#atWork.add(work);
    try {
      return await work;
    } catch (error) {
      this.failure ??= error;
      // The list shows one line for it; the whole is told at the end.
      throw new Error(messageOf(error).split("\n")[0], { cause: error });
    } finally {
      this.#atWork.delete(work);
    }
  }

  async settled(): Promise<void> {
    while (this.#atWork.size > 0) {
      await Promise.allSettled(this.#atWork);
    }
  }
}

const HEARTBEAT_MS = 30_000;

/** Says how long an action has been at work: each second where that line is redrawn, rarely where it is printed anew. */
export async function withHeartbeat<T>(say: Say, text: string, action: () => Promise<T>): Promise<T> {
  const begin = Date.now();
  const elapsed = (): string => `${text}, ${Math.round((Date.now() - begin) / 1000)} s`;
  const timer = setInterval(() => say(elapsed()), process.stdout.isTTY ? 1000 : HEARTBEAT_MS);
  try {
    return await action();
  } finally {
    clearInterval(timer);
  }
}
