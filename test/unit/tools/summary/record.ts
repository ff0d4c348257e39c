/**
 * Records previews of the real engine for the tests of the summary: `npm run record:previews`. Brings up a lab named `previews` with four
 * workers, deploys a stack of three, previews one change after the other, and takes the lab down. Takes some minutes.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { REPOSITORY } from "../../../repository";
import { requireLab } from "../../../../lab/labState";
import { BASES, type Config, PREVIEWS } from "./recordings";
import { stripPreview } from "./strip";

const FOLDER = join(__dirname, "previews");
const LAB = "previews";
const STACK = "prod";

/** Runs a command of the lab. Returns its output, also of a preview that fails. */
async function lab(args: readonly string[], mayFail = false): Promise<string> {
  const command = [join(REPOSITORY, "lab", "run"), "--name", LAB, ...args];
  try {
    return (await promisify(execFile)(command[0], command.slice(1), { maxBuffer: 1 << 30 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as Error & { stdout: string; stderr: string };
    if (mayFail) return stdout;
    throw new Error(`lab ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

class Recorder {
  private constructor(
    private readonly document: { readonly config: Config },
    private readonly workers: readonly Config[],
    private readonly configFile: string,
    private readonly stateFile: string,
  ) {}

  static async open(): Promise<Recorder> {
    const { paths } = await requireLab(LAB);
    const document = parse(await readFile(paths.configFile, "utf8")) as { config: Config };
    const [pool] = document.config["tls-bootstrap:pools"] as Config[];
    const state = join(paths.pulumi, "backend", ".pulumi", "stacks", "tls-bootstrap", `${STACK}.json`);
    return new Recorder(document, pool.workers as Config[], join(paths.folder, `Pulumi.${STACK}.yaml`), state);
  }

  /** Writes the settings of a base with a change. */
  private async configure(...changes: readonly ((config: Config, spare: Config) => void)[]): Promise<void> {
    const document = structuredClone(this.document);
    const { config } = document;
    const [pool] = config["tls-bootstrap:pools"] as Config[];
    pool.workers = structuredClone(this.workers.slice(0, 3));
    for (const change of changes) change(config, structuredClone(this.workers[3]));
    await writeFile(this.configFile, stringify(document, { lineWidth: 0 }), { mode: 0o600 });
  }

  async record(): Promise<void> {
    const options = ["--stack", STACK, "--config-file", this.configFile];
    await mkdir(FOLDER, { recursive: true });
    for (const [name, base] of Object.entries(BASES)) {
      if (base.deploy) {
        await this.configure(base.settings);
        console.log(`deploys ${name}`);
        await lab(["deploy", ...options]);
      }
      for (const { file, settings, flags = [], state } of PREVIEWS.filter((preview) => preview.base === name)) {
        await this.configure(base.settings, settings ?? (() => undefined));
        const kept = state && (await readFile(this.stateFile, "utf8"));
        if (state) await writeFile(this.stateFile, state(kept!));
        const printed = await lab(
          ["pulumi", ...options, "--", "preview", "--json", "--non-interactive", ...flags],
          true,
        );
        if (kept) await writeFile(this.stateFile, kept);
        await writeFile(join(FOLDER, `${file}.json`), stripPreview(printed));
        console.log(`recorded ${file}`);
      }
    }
    await lab(["destroy", ...options]);
  }
}

async function main(): Promise<void> {
  await lab(["up", "--workers", "4"]);
  await rm(FOLDER, { recursive: true, force: true });
  await (await Recorder.open()).record();
  await lab(["down"]);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
