import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { connectionTo } from "../connection";
import { commandLines, commonArgs, type StepContext } from "./step";

/** Some five seconds. Hooks of the program try nothing again when the worker's line is gone, or in a destroy. */
const DIAL_ERROR_LIMIT = 8;

/**
 * Declares how the worker leaves: one command that drains the node, stops it, and removes what was installed. It runs when this resource is
 * deleted, or replaced because of another address. The resource opens no SSH session before that. A lost worker leaves without a command.
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
      ...(worker.lost ? {} : { delete: run.undo("leave"), stdin: pulumi.interpolate`${owner}\n` }),
    },
    { parent, dependsOn, replacementTrigger: worker.address, deleteBeforeReplace: true },
  );
}
