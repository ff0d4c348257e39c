import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { labFolder, requireLab } from "../../lab/labState";
import { differencesOf, type Facts, factsOf } from "./labSnapshot";
import { eventually, TestLab } from "./testLab";

/** How many workers each file finds. A file that needs others asks for them, and puts this number back. */
const WORKERS = "4";

/** A lane: e2e files that run one after another in a lab of their own, beside those of other lanes. */
export class Lane {
  readonly #folder: string;
  readonly #pristineConfig: string;
  readonly #pristineFacts: string;
  /** Names the file that is at work. After a file that has passed and cleaned up there is none. */
  readonly #atWork: string;
  /** Names the file that did so last. */
  readonly #last: string;

  constructor(readonly name: string) {
    this.#folder = join(labFolder(name), "test");
    this.#pristineConfig = join(this.#folder, "Pulumi.lab.yaml");
    this.#pristineFacts = join(this.#folder, "facts.json");
    this.#atWork = join(this.#folder, "at-work");
    this.#last = join(this.#folder, "last");
  }

  /** Brings the lab up from nothing, and remembers what a clean lab is like. */
  async bringUp(say: (text: string) => void): Promise<void> {
    const lab = new TestLab(this.name);
    await this.takeDown();
    await lab.follow(say, "up", "--workers", WORKERS);
    const { configFile } = await lab.facts();
    // The controller manager makes these when the API server is long ready.
    for (const namespace of ["default", "kube-system", "kube-public"])
      await eventually(() =>
        lab.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt", "-n", namespace),
      );
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await copyFile(configFile, this.#pristineConfig);
    await writeFile(this.#last, "it was brought up");
    await writeFile(this.#pristineFacts, JSON.stringify(await this.#settledFacts(), null, 2));
  }

  takeDown = async (): Promise<void> => void (await new TestLab(this.name).out("down"));

  /** Gives a file a clean lab with the settings of a fresh one. */
  async begin(file: string, say: (text: string) => void): Promise<void> {
    if (existsSync(this.#atWork)) {
      say(`is brought up anew after ${await readFile(this.#atWork, "utf8")}`);
      await this.bringUp(say);
    } else if (!existsSync(this.#pristineFacts)) {
      await this.bringUp(say);
    }
    const left = await this.#leftovers();
    await writeFile(this.#atWork, file);
    if (left.length > 0) throw notClean(`any more after ${await readFile(this.#last, "utf8")}`, left);
    await copyFile(this.#pristineConfig, (await requireLab(this.name)).paths.configFile);
  }

  /** Ends a file that has passed: what is wrong with the lab that it leaves; undefined when it is clean. */
  async end(file: string): Promise<Error | undefined> {
    const left = await this.#leftovers();
    if (left.length > 0) return notClean(`after ${file}, whose tests have passed`, left);
    await rename(this.#atWork, this.#last);
    return undefined;
  }

  #facts = async (): Promise<Facts> => factsOf(await requireLab(this.name));

  /** What a lab is like that has just come up: what starts it ends a moment later. */
  async #settledFacts(): Promise<Facts> {
    for (let before = await this.#facts(); ;) {
      await sleep(LOOK_MS);
      const now = await this.#facts();
      if (differencesOf(before, now).length === 0) return now;
      before = now;
    }
  }

  /** What is not as in a clean lab, after some patience: pods, and objects that others own, go a moment after what they belong to. */
  async #leftovers(): Promise<string[]> {
    const pristine = JSON.parse(await readFile(this.#pristineFacts, "utf8")) as Facts;
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const left = differencesOf(pristine, await this.#facts());
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
  // Of a stack, jest shows the lines before the first place: all of the list.
  error.stack = `${error.message}\n    at the lab (e2e:1:1)`;
  return error;
}
