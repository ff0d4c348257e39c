import { existsSync } from "node:fs";
import { COMPONENTS } from "../control-plane/flags";
import { requireBinary } from "../kubernetes/binaries";
import { type Lab, requireWorker } from "../lab";
import { MIRROR } from "../mirror";
import { LabError } from "../system/errors";
import { interactive } from "../system/run";
import { ADMIN } from "../worker/files";
import { commandInWorker, isWorkerRunning } from "../worker/worker";

/** Ways into a lab. Each hands the terminal over and returns the exit status. */

/** Arguments for another program, without the `--` that may set them off. */
const passedOn = (args: readonly string[]): readonly string[] => (args[0] === "--" ? args.slice(1) : args);

export async function kubectl(lab: Lab, args: readonly string[]): Promise<number> {
  const program = await requireBinary("kubectl", lab.settings.kubernetesVersion);
  return interactive(program, ["--kubeconfig", lab.paths.kubeconfig, ...passedOn(args)]);
}

export async function ssh(lab: Lab, name: string, args: readonly string[]): Promise<number> {
  const worker = requireWorker(lab, name);
  const options = {
    UserKnownHostsFile: lab.paths.knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    IdentityFile: lab.paths.sshKey,
    ConnectTimeout: "10",
  };
  // Nothing of the user's own SSH settings: -F none.
  const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return interactive("ssh", ["-F", "none", ...flags, `${ADMIN}@${worker.network.address}`, ...passedOn(args)]);
}

export async function exec(lab: Lab, name: string, argv: readonly string[]): Promise<number> {
  const command = passedOn(argv);
  return interactive(...commandInWorker(requireWorker(lab, name), command.length > 0 ? command : ["bash", "-l"]));
}

export interface LogOptions {
  readonly lines: string;
  readonly follow?: boolean;
}

/** A running worker's journal; of anything else the log file. */
export async function logs(lab: Lab, component: string, options: LogOptions): Promise<number> {
  const worker = lab.workers.find(({ name }) => name === component);
  if (worker && isWorkerRunning(lab, worker)) {
    const follow = options.follow ? ["--follow"] : [];
    return interactive(...commandInWorker(worker, ["journalctl", "--no-pager", "-n", options.lines, ...follow]));
  }
  const known = [...COMPONENTS, MIRROR, ...lab.workers.map((worker) => worker.name)];
  if (!known.includes(component)) {
    throw new LabError(`the lab has no part "${component}"`, `It has ${known.join(", ")}.`);
  }
  const file = lab.paths.logFile(component);
  if (!existsSync(file)) {
    throw new LabError(`${component} has not written a log yet`);
  }
  return interactive("tail", ["-n", options.lines, ...(options.follow ? ["--follow=name"] : []), file]);
}
