import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ResolvedWorker } from "../../spec/resolve";
import { connectionTo } from "../connection";
import { commandLines, commonArgs, type StepContext } from "./step";

/** Some five seconds. Hooks of the program try nothing again when the worker's line is gone, or in a destroy. */
const DIAL_ERROR_LIMIT = 8;

/**
 * Declares how the worker leaves: one command that drains the node, stops it, and removes what was installed. It runs when this resource is
 * deleted, or replaced because of another address or before its VM is deleted. The resource opens no SSH session before that. A lost worker
 * leaves without a command, wherever it is now.
 * @param dependsOn what must not be removed before, and what must exist before there is something to undo
 */
export function declareLeave(context: StepContext, dependsOn: pulumi.Resource[]): remote.Command {
  const { name, worker, owner, parent } = context;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-leave`,
    {
      ...commonArgs(context),
      connection: connectionTo(worker, DIAL_ERROR_LIMIT),
      ...(worker.lost ? {} : { delete: run.undo("leave"), stdin: owner.then((urn) => `${urn}\n`) }),
      triggers: [addressOf(worker)],
    },
    { parent, dependsOn, deleteBeforeReplace: true, ignoreChanges: worker.lost ? ["triggers"] : [] },
  );
}

/**
 * The address, as a value that depends on the VM too. So the worker leaves before its VM is deleted, but not because of another machine at the
 * same address: nothing is left there to undo.
 */
const addressOf = ({ address, machine }: ResolvedWorker): pulumi.Input<string> =>
  machine === undefined ? address : pulumi.all([address, machine]).apply(([known]) => known);
