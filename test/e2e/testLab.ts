import { type ChildProcess, execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parse, stringify } from "yaml";
import releases from "../../components/kubelet/releases.json";
import { parseNodes, type Status } from "../../lab/cli/status";
import type { OperationResult } from "../../lab/pulumi/events";
import { type Lab, requireLab, requireWorker } from "../../lab/labState";
import { commandInWorker } from "../../lab/workers/labWorker";
import { laneName } from "./lanes";
import { REPOSITORY } from "../repository";

/** The Kubernetes version of the lab and of its workers. */
export const VERSION = releases.at(-1)!;

/** The lab's command line. */
const LAB = join(REPOSITORY, "lab", "run");

/** After this time a followed command shows its output. */
const LONG_MS = 30_000;

export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Operation = "preview" | "deploy" | "refresh" | "destroy";

/** A lab, used by its command line, as its users do. Only `exec` and `kubectl` run directly, since that is faster. */
export class TestLab {
  /** Everything that any command has printed, for searches. */
  readonly transcript: string[] = [];

  constructor(readonly name: string = laneName()) {}

  /** Runs a command of the lab, whatever its exit status. */
  async run(...args: string[]): Promise<Run> {
    const direct = await this.#directCommand(args);
    return direct ? this.#spawn(...direct) : this.cli(...args);
  }

  /** Runs a command by the lab's command line, also `exec` and `kubectl`. */
  cli = (...args: string[]): Promise<Run> => this.#spawn(LAB, this.#argv(args));

  #argv = (args: string[]): string[] => ["--name", this.name, ...args];

  #spawn(program: string, argv: string[], watch: (child: ChildProcess) => void = () => undefined): Promise<Run> {
    return new Promise((done) => {
      const child = execFile(program, argv, { cwd: REPOSITORY, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
        this.transcript.push(stdout, stderr);
        done({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      });
      watch(child);
    });
  }

  /**
   * The program that the lab's `exec` or `kubectl` runs. The tests run hundreds of them, and the start of the lab takes most of the time.
   */
  async #directCommand([command, ...args]: string[]): Promise<[string, string[]] | undefined> {
    if (command !== "exec" && command !== "kubectl") return undefined;
    if (command === "exec") {
      const [worker, , ...argv] = args;
      return commandInWorker(requireWorker(await requireLab(this.name), worker), argv);
    }
    const { kubectl, kubeconfig } = await this.facts();
    return kubectl === null ? undefined : [kubectl, ["--kubeconfig", kubeconfig, ...args]];
  }

  /** Runs a command that must succeed. Returns its output. */
  out = async (...args: string[]): Promise<string> => succeeded(args, await this.run(...args));

  /** Runs a command that must succeed and may build for minutes. Shows its output when it takes long. */
  async follow(say: (text: string) => void, ...args: string[]): Promise<void> {
    let held: string[] | undefined = [];
    const show = (text: string): void => void (held ? held.push(text) : say(text));
    const patience = setTimeout(() => {
      held?.forEach(say);
      held = undefined;
    }, LONG_MS);
    const watch = ({ stdout, stderr }: ChildProcess): void => {
      for (const stream of [stdout, stderr]) createInterface({ input: stream! }).on("line", show);
    };
    try {
      succeeded(args, await this.#spawn(LAB, this.#argv(args), watch));
    } finally {
      clearTimeout(patience);
    }
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.out("--json", ...args)) as T;
  }

  /** The lab's status: the nodes as they are now, the rest as it was at the first call. */
  async status(): Promise<Status> {
    const { status, stdout } = await this.run("kubectl", "--request-timeout=5s", "get", "nodes", "-o", "json");
    return { ...(await this.facts()), nodes: status === 0 ? parseNodes(stdout) : null };
  }

  /** Runs an operation of the stack that must succeed. */
  operate = (operation: Operation, ...args: string[]): Promise<OperationResult> =>
    this.json<OperationResult>(operation, ...args);

  /** Runs an operation that must fail. Returns its errors. */
  async fails(operation: Operation, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run("--json", operation, ...args);
    if (status === 0) throw new Error(`lab ${operation} was expected to fail, but did not:\n${stdout}`);
    if (!stdout.trim()) return stderr; // it failed before it had a result
    const { diagnostics } = JSON.parse(stdout) as OperationResult;
    const errors = diagnostics.filter(({ severity }) => severity === "error").map(({ message }) => message);
    // After the errors, the CLI shows the stack's outputs.
    return [...errors, stderr.split(/^\s*Outputs:/m)[0]].join("\n");
  }

  /** Runs a command on a worker without SSH. */
  exec = (worker: string, ...argv: string[]): Promise<string> => this.out("exec", worker, "--", ...argv);

  shell = (worker: string, script: string): Promise<string> => this.exec(worker, "sh", "-c", script);

  kubectl = (...args: string[]): Promise<string> => this.out("kubectl", ...args);

  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl("get", ...args, "-o", "json")) as T;
  }

  /** How many SSH logins a worker's sshd has accepted so far. */
  async sessions(worker: string): Promise<number> {
    return Number(await this.shell(worker, "journalctl -u ssh -o cat --no-pager | grep -c '^Accepted ' || true"));
  }

  /** SSH logins of all workers. */
  async allSessions(workers: readonly string[]): Promise<Record<string, number>> {
    const counts = await Promise.all(workers.map((worker) => this.sessions(worker)));
    return Object.fromEntries(workers.map((worker, i) => [worker, counts[i]]));
  }

  /** The main process of a unit on a worker; "0" when it does not run. */
  async unitPid(worker: string, unit: string): Promise<string> {
    return (await this.exec(worker, "systemctl", "show", "-P", "MainPID", unit)).trim();
  }

  kubeletPid = (worker: string): Promise<string> => this.unitPid(worker, "kubelet");

  /** Whether a node is Ready; undefined when there is no such node. */
  async isReady(node: string): Promise<boolean | undefined> {
    return (await this.status()).nodes?.find(({ name }) => name === node)?.ready;
  }

  /** Writes objects to a file, for kubectl. Returns its path. */
  async writeManifest(manifest: object): Promise<string> {
    const file = join((await this.facts()).stateDir, "manifest.json");
    await writeFile(file, JSON.stringify(manifest));
    return file;
  }

  apply = async (manifest: object): Promise<string> => this.kubectl("apply", "-f", await this.writeManifest(manifest));

  #facts?: Promise<Status>;
  /** The status at the first call, for what does not change while a lab is up. */
  facts = (): Promise<Status> => (this.#facts ??= this.json<Status>("status"));

  /** Changes the stack's settings, as a user would edit the file. */
  async configure(change: (settings: Record<string, any>) => void): Promise<void> {
    const { configFile } = await this.facts();
    const document = parse(await readFile(configFile, "utf8")) as { config: Record<string, any> };
    change(document.config);
    await writeFile(configFile, stringify(document, { lineWidth: 0 }));
  }

  /** Moves the end of a certificate in a stack's state closer, as if time had passed. */
  async ageCertificate(name: string, hours: number, stack = "tls-bootstrap/lab"): Promise<void> {
    const file = join(stacksFolder(await requireLab(this.name)), `${stack}.json`);
    const state = JSON.parse(await readFile(file, "utf8"));
    const { outputs } = state.checkpoint.latest.resources.find(({ urn }: { urn: string }) => urn.endsWith(`::${name}`));
    outputs.validityEndTime = new Date(Date.parse(outputs.validityEndTime) - hours * 3_600_000).toISOString();
    await writeFile(file, JSON.stringify(state));
  }

  /** Sets a setting of a settings file, encrypted. */
  async setSecret(configFile: string, path: string, value: string): Promise<void> {
    const args = ["pulumi", "--config-file", configFile, "--", "config", "set", "--secret", "--path", path];
    succeeded(args, await this.#spawn(LAB, this.#argv(args), ({ stdin }) => stdin!.end(value)));
  }

  /** Writes a settings file with changes of the stack's settings. Returns its path. */
  async configFile(name: string, change: (settings: Record<string, any>) => Record<string, any>): Promise<string> {
    const { configFile, stateDir } = await this.facts();
    const document = parse(await readFile(configFile, "utf8")) as { config: Record<string, any> };
    document.config = change(document.config);
    const folder = join(stateDir, "test-configs");
    await mkdir(folder, { recursive: true });
    const file = join(folder, `Pulumi.${name}.yaml`);
    await writeFile(file, stringify(document, { lineWidth: 0 }), { mode: 0o600 });
    return file;
  }
}

function succeeded(args: readonly string[], { status, stdout, stderr }: Run): string {
  if (status !== 0) throw new Error(`lab ${args.join(" ")} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** The folder with the states of the lab's stacks. It has a folder for each program. */
export const stacksFolder = (lab: Lab): string => join(lab.paths.pulumi, "backend", ".pulumi", "stacks");

/** Tries until it no longer throws. */
export async function eventually<T>(attempt: () => Promise<T>, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resume) => setTimeout(resume, 300));
    }
  }
}

/** The steps of a result that change something, as `op name`. */
export const changes = ({ steps }: OperationResult): string[] =>
  steps.flatMap(({ op, name }) => (["same", "read", "refresh"].includes(op) ? [] : [`${op} ${name}`])).sort();
