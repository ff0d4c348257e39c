import { readdirSync, readFileSync } from "node:fs";

/** How often a process is looked at: a shell shows other arguments after it has become the command it runs. */
const LOOKS = 4;

/** Watches every process of the machine, those in workers too: the command lines and environments that it sees. */
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
            // The pulumi CLI hands a program its config, decrypted, in this variable; that is not ours to change.
            if (!word.startsWith("PULUMI_CONFIG=")) this.#seen.add(word);
        } catch {
          // It has ended.
        }
    }
  }

  /** Ends the watch and tells what it saw. */
  stop(): readonly string[] {
    clearInterval(this.#timer);
    return [...this.#seen];
  }
}
