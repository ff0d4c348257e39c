import { readdirSync, readFileSync } from "node:fs";

/** Watches every process of the machine, those in workers too: all command lines and environments that it sees. */
export class ProcessWatch {
  readonly #seen = new Set<string>();
  readonly #timer = setInterval(() => this.#look(), 20);

  #look(): void {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
      for (const file of ["cmdline", "environ"])
        try {
          this.#seen.add(readFileSync(`/proc/${pid}/${file}`, "latin1"));
        } catch {
          // It has ended.
        }
  }

  /** Ends the watch. */
  stop(): readonly string[] {
    clearInterval(this.#timer);
    return [...this.#seen];
  }
}
