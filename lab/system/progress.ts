import { Listr, type ListrTask, type ListrTaskWrapper, PRESET_TIMER, ProcessOutput } from "listr2";

/** A step may say what it is doing right now. */
export type Say = (text: string) => void;

export interface Step {
  readonly title: string;
  readonly run?: (say: Say) => Promise<void>;
  /** Steps within this one: the whole list is known when it begins. */
  readonly steps?: () => readonly Step[] | Promise<readonly Step[]>;
  readonly concurrent?: boolean;
  readonly skip?: () => string | false | Promise<string | false>;
}

export interface ProgressOptions {
  /** Progress goes to standard error, because standard output is for a program to read. */
  readonly json?: boolean;
}

type Task = ListrTaskWrapper<unknown, never, never>;

/** Runs steps one after another, showing each with its elapsed time; plain lines when nobody watches. */
export async function runSteps(steps: readonly Step[], options: ProgressOptions = {}): Promise<void> {
  const stream = options.json ? process.stderr : process.stdout;
  const renderer = stream.isTTY ? ("default" as const) : ("simple" as const);
  const list = new Listr<unknown, "default" | "simple", "simple">(steps.map(taskOf) as ListrTask[], {
    renderer,
    registerSignalListeners: false,
    rendererOptions: {
      timer: PRESET_TIMER,
      collapseSubtasks: false,
      collapseErrors: false,
      showErrorMessage: false,
      processOutput: new ProcessOutput(stream, stream),
    } as never,
    fallbackRendererOptions: { timer: PRESET_TIMER } as never,
  });
  await list.run();
}

function taskOf(step: Step): ListrTask {
  return {
    title: step.title,
    ...(step.skip && { skip: async () => (await step.skip?.()) ?? false }),
    rendererOptions: { persistentOutput: false } as never,
    task: async (_context: unknown, wrapper: unknown) => {
      const task = wrapper as Task;
      if (step.steps) {
        const steps = await step.steps();
        return task.newListr(steps.map(taskOf) as never, { concurrent: step.concurrent ?? false } as never);
      }
      await step.run?.((text) => {
        task.output = text;
      });
      return undefined;
    },
  } as ListrTask;
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
