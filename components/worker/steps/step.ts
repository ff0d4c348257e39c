import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { PATHS } from "../../cluster/names";
import type { ResolvedWorker } from "../../spec/resolve";
import { connectionTo, type Login } from "../connection";
import type { NodeFacts } from "../files/kubeletFiles";

/** The worker that a step is for. */
export interface StepContext {
  /** Name of the Worker component. A step's resource is named `<name>-<step>`. */
  readonly name: string;
  readonly worker: ResolvedWorker;
  /** The command that mints a new token. */
  readonly mintCommand: string;
  /** URN of the Worker. A promise, because an output would make each step wait for the component, and so for itself. */
  readonly owner: Promise<string>;
  /** What the host's files say. A preview may not know it. */
  readonly facts: pulumi.Output<NodeFacts>;
  readonly parent: pulumi.Resource;
}

/**
 * The command that runs steps of the worker again. It mints a token first, because the worker may have to join, and the last update has revoked
 * the token that it needed.
 */
export const replaceCommand = ({ name, mintCommand }: StepContext, steps: readonly string[]): string =>
  [mintCommand, ...steps.map((step) => `--replace "**::${name}-${step}"`)].join(" ");

/** The arguments that the commands of all steps have in common. */
export const commonArgs = ({ worker }: { readonly worker: Login }) => ({
  connection: connectionTo(worker),
  addPreviousOutputInEnv: false, // sshd accepts no environment variables by default
  logging: remote.Logging.None, // the receipts show the results, and the CLI prints the output of a failed command anyway
});

/**
 * Identifies the machine of a worker. A machine with another address, host key or id is another one, or has a new disk, and joins.
 *
 * The steps have it among their `triggers`, not as `replacementTrigger`. Before the engine deletes a VM that it replaces, it asks the command
 * plugin which commands would be replaced with the VM, and deletes these first. The engine does not count `replacementTrigger` there.
 */
export const machineOf = ({
  address,
  hostKey,
  machine,
}: Pick<ResolvedWorker, "address" | "hostKey" | "machine">): pulumi.Input<string> => {
  const parts = [address, hostKey, ...(machine === undefined ? [] : [machine])];
  return parts.every((part) => typeof part === "string")
    ? parts.join(" ")
    : pulumi.all(parts).apply((known) => known.join(" "));
};

/**
 * Command lines for a host, with `sudo -n` unless the user is root. They must hold no secret: the CLI prints the line of a failed command.
 */
export function commandLines({ worker: { ssh } }: { readonly worker: Pick<Login, "ssh"> }) {
  const sudo = ssh.user === "root" ? "" : "sudo -n ";
  const step = (words: string) => `exec ${sudo}${PATHS.scripts}/run.sh ${words}`;
  return {
    /** Runs the script on stdin. When sudo does not work, the script runs as the user, and its checks report it. */
    script: (word: string) =>
      `${sudo && `${sudo}/bin/sh -c : 2>/dev/null && exec ${sudo}/bin/sh -s ${word}; `}exec /bin/sh -s ${word}`,
    /** Runs a script: `step("kubelet apply")`. */
    step,
    /** Undoes what was done. A host without our settings was never prepared, or was wiped, and has nothing to undo. Only root can tell. */
    undo: (words: string) =>
      `exec ${sudo}/bin/sh -c '[ -e ${PATHS.settings} ] || exit 0; exec ${PATHS.scripts}/run.sh ${words}'`,
  };
}
