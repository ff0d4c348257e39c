import { existsSync } from "node:fs";
import { requireBinary } from "../builds/kubernetes/binaries";
import { labCommand, type LabOptions, requireLab, requirePart, requireWorker } from "../labState";
import { LabError } from "../host/labError";
import { runInTerminal } from "../host/run";
import { ADMIN } from "../workers/workerFiles";
import { commandInWorker, isWorkerRunning } from "../workers/labWorker";

/** Commands that run a program on this terminal: kubectl, ssh, a command in a worker, a log. They return its exit status. */

/** The arguments for another program, without a leading `--`. */
const passedOn = (args: readonly string[]): readonly string[] => (args[0] === "--" ? args.slice(1) : args);

export async function runKubectl(options: LabOptions, args: readonly string[]): Promise<number> {
  const lab = await requireLab(options.name);
  const program = await requireBinary("kubectl", lab.settings.kubernetesVersion);
  return runInTerminal(program, ["--kubeconfig", lab.paths.kubeconfig, ...passedOn(args)]);
}

export async function runSsh(options: LabOptions, name: string, args: readonly string[]): Promise<number> {
  const lab = await requireLab(options.name);
  const { address } = requireWorker(lab, name).network;
  const settings = {
    UserKnownHostsFile: lab.paths.knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    IdentityFile: lab.paths.sshKey,
    ConnectTimeout: "10",
  };
  // -F none: ignore the user's SSH settings.
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return runInTerminal("ssh", ["-F", "none", ...flags, `${ADMIN}@${address}`, ...passedOn(args)]);
}

export async function runExec(options: LabOptions, name: string, args: readonly string[]): Promise<number> {
  const worker = requireWorker(await requireLab(options.name), name);
  const command = passedOn(args);
  return runInTerminal(...commandInWorker(worker, command.length > 0 ? command : ["bash", "-l"]));
}

export interface LogOptions extends LabOptions {
  readonly lines: string;
  readonly follow?: boolean;
}

/** Shows the journal of a running worker, and the log file of everything else. */
export async function showLogs(options: LogOptions, part: string): Promise<number> {
  const lab = await requireLab(options.name);
  requirePart(lab, part);
  const worker = lab.machines.find(({ name }) => name === part);
  if (worker && isWorkerRunning(lab, worker)) {
    const follow = options.follow ? ["--follow"] : [];
    return runInTerminal(...commandInWorker(worker, ["journalctl", "--no-pager", "-n", options.lines, ...follow]));
  }
  const file = lab.paths.logFile(part);
  if (!existsSync(file)) {
    throw new LabError(`${part} has no log, because it never ran`, `Start it: ${labCommand(lab.name, "up")}`);
  }
  return runInTerminal("tail", ["-n", options.lines, ...(options.follow ? ["--follow=name"] : []), file]);
}
