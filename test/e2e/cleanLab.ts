import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { labFolder, requireLab } from "../../lab/labState";
import { differencesOf, type Snapshot, takeSnapshot } from "./labSnapshot";
import { eventually, TestLab } from "./testLab";

/** How many workers each file finds. A file that needs others asks for them, and puts this number back. */
const WORKERS = "4";

/** The lab of a lane. The e2e files of the lane run in it one after another, and each finds it clean. */
export class CleanLab {
  readonly #folder: string;
  readonly #pristineConfig: string;
  readonly #pristineSnapshot: string;
  /** Holds the name of the file that runs, or that did not leave the lab clean. */
  readonly #atWork: string;
  /** Holds the name of the last file that left the lab clean. */
  readonly #last: string;

  constructor(readonly name: string) {
    this.#folder = join(labFolder(name), "test");
    this.#pristineConfig = join(this.#folder, "Pulumi.lab.yaml");
    this.#pristineSnapshot = join(this.#folder, "snapshot.json");
    this.#atWork = join(this.#folder, "at-work");
    this.#last = join(this.#folder, "last");
  }

  /** Brings the lab up from nothing, and takes a snapshot of the clean lab. */
  async bringUp(say: (text: string) => void): Promise<void> {
    const lab = new TestLab(this.name);
    await this.takeDown();
    await lab.follow(say, "up", "--workers", WORKERS);
    const { configFile } = await lab.facts();
    // The controller manager creates these some time after the API server is ready.
    for (const namespace of ["default", "kube-system", "kube-public"])
      await eventually(() =>
        lab.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt", "-n", namespace),
      );
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await copyFile(configFile, this.#pristineConfig);
    await writeFile(this.#last, "it was brought up");
    await writeFile(this.#pristineSnapshot, JSON.stringify(await this.#settledSnapshot(), null, 2));
  }

  takeDown = async (): Promise<void> => void (await new TestLab(this.name).out("down"));

  /** Gives a file a clean lab with the settings of a new lab. */
  async begin(file: string, say: (text: string) => void): Promise<void> {
    if (existsSync(this.#atWork)) {
      say(`comes up again, since ${await readFile(this.#atWork, "utf8")} did not leave it clean`);
      await this.bringUp(say);
    } else if (!existsSync(this.#pristineSnapshot)) {
      await this.bringUp(say);
    }
    const left = await this.#leftovers();
    await writeFile(this.#atWork, file);
    if (left.length > 0) throw notClean(`any more after ${await readFile(this.#last, "utf8")}`, left);
    await copyFile(this.#pristineConfig, (await requireLab(this.name)).paths.configFile);
  }

  /** Ends a file that has passed. Returns an error unless the file has left the lab clean. */
  async end(file: string): Promise<Error | undefined> {
    const left = await this.#leftovers();
    if (left.length > 0) return notClean(`after ${file}, whose tests have passed`, left);
    await rename(this.#atWork, this.#last);
    return undefined;
  }

  #snapshot = async (): Promise<Snapshot> => takeSnapshot(await requireLab(this.name));

  /** A snapshot of a lab that has just come up, once nothing changes in it any more. */
  async #settledSnapshot(): Promise<Snapshot> {
    for (let before = await this.#snapshot(); ;) {
      await sleep(LOOK_MS);
      const now = await this.#snapshot();
      if (differencesOf(before, now).length === 0) return now;
      before = now;
    }
  }

  /** How the lab differs from a clean one. Waits a moment, since pods and owned objects go a little later than their owners. */
  async #leftovers(): Promise<string[]> {
    const pristine = JSON.parse(await readFile(this.#pristineSnapshot, "utf8")) as Snapshot;
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const left = differencesOf(pristine, await this.#snapshot());
      if (left.length === 0 || Date.now() > end) return left;
      await sleep(LOOK_MS);
    }
  }
}

const LOOK_MS = 500;
const PATIENCE_MS = 10_000;

function notClean(when: string, left: readonly string[]): Error {
  const shown = left.slice(0, 20).map((line) => `\n  - ${line}`);
  const more = left.length > shown.length ? `\n  and ${left.length - shown.length} more` : "";
  const error = new Error(`The lab is not clean ${when}:${shown.join("")}${more}`);
  // Jest shows the lines of a stack up to the first position: the whole list.
  error.stack = `${error.message}\n    at the lab (e2e:1:1)`;
  return error;
}
