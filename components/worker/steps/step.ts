import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { PATHS } from "../../cluster/names";
import type { ResolvedWorker } from "../../spec/resolve";
import { connectionTo } from "../connection";

/** What the steps of one worker share. */
export interface StepContext {
  /** Name of the Worker component. The step's name follows in the names of resources. */
  readonly name: string;
  readonly worker: ResolvedWorker;
  /** The command that mints a new token. */
  readonly mintCommand: string;
  readonly parent: pulumi.Resource;
}

/**
 * The command that runs steps of the worker again. It mints a token first, because the worker may have to join, and the last update has revoked
 * the token that it needed.
 */
export const replaceCommand = ({ name, mintCommand }: StepContext, steps: readonly string[]): string =>
  [mintCommand, ...steps.map((step) => `--replace "**::${name}-${step}"`)].join(" ");

/** What the commands of all steps have in common. */
export const commonArgs = ({ worker }: StepContext) => ({
  connection: connectionTo(worker),
  addPreviousOutputInEnv: false, // sshd refuses environment variables by default
  logging: remote.Logging.None, // the state has the receipts, and the CLI prints a failed command's output in any case
});

/** What makes a worker another machine. The old machine is left and cleaned first, then the new one joins. A runtime of another type needs that too. */
export const machineOf = ({ address, hostKey, runtime }: ResolvedWorker): pulumi.Input<string> =>
  typeof address === "string" && typeof hostKey === "string"
    ? `${address} ${hostKey} ${runtime.type}`
    : pulumi.interpolate`${address} ${hostKey} ${runtime.type}`;

/** The command lines that run on a host, with `sudo -n` unless the user is root. They hold no secret: the CLI prints the line of a failed command. */
export function commandLines({ worker: { ssh } }: StepContext) {
  const sudo = ssh.user === "root" ? "" : "sudo -n ";
  const step = (words: string) => `exec ${sudo}${PATHS.scripts}/run.sh ${words}`;
  return {
    /** Runs the script on stdin. Without sudo it runs as the user, so that the checks can report that sudo is missing. */
    script: `${sudo && `${sudo}/bin/sh -c : 2>/dev/null && exec ${sudo}/bin/sh -s; `}exec /bin/sh -s`,
    step,
    /** For a host that was never prepared, or was wiped, and has nothing to undo. */
    stepIfInstalled: (words: string) => `if [ -e ${PATHS.scripts}/run.sh ]; then ${step(words)}; fi`,
  };
}
