import { readdirSync, readFileSync } from "node:fs";

/** How often each process is read. A process shows other arguments after an `exec`. */
const LOOKS = 4;

/** Records command lines and environments of all processes of the machine, including those in workers. */
export class ProcessWatch {
  readonly #seen = new Set<string>();
  readonly #looks = new Map<string, number>();
  readonly #timer = setInterval(() => this.#look(), 25);

  #look(): void {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const looks = this.#looks.get(pid) ?? 0;
      if (looks >= LOOKS) continue;
      this.#looks.set(pid, looks + 1);
      for (const file of ["cmdline", "environ"])
        try {
          for (const word of readFileSync(`/proc/${pid}/${file}`, "latin1").split("\0"))
            // The Pulumi CLI passes the decrypted config to the program in this variable.
            if (!word.startsWith("PULUMI_CONFIG=")) this.#seen.add(word);
        } catch {
          // It has ended.
        }
    }
  }

  /** Ends the watch. Returns the words that it has seen. */
  stop(): readonly string[] {
    clearInterval(this.#timer);
    return [...this.#seen];
  }
}
