/** Shows what a step is doing right now. */
export type Say = (text: string) => void;

const PRINTED_EVERY_MS = 30_000;

/** Shows for how long an action has been running: every second on a terminal, which redraws the line, rarely in a log. */
export async function withHeartbeat<T>(say: Say, text: string, action: () => Promise<T>): Promise<T> {
  const begin = Date.now();
  const elapsed = (): string => `${text}, ${Math.round((Date.now() - begin) / 1000)} s`;
  const timer = setInterval(() => say(elapsed()), process.stdout.isTTY ? 1000 : PRINTED_EVERY_MS);
  try {
    return await action();
  } finally {
    clearInterval(timer);
  }
}
