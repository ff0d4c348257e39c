import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { parseHostReceipt } from "../receipt";
import { commandLines, commonArgs, type StepContext } from "./step";

export interface JoinInputs {
  readonly host: remote.Command;
  readonly kubelet: remote.Command;
  /** What else must be there before the kubelet starts. */
  readonly dependsOn: readonly pulumi.Resource[];
  readonly bootstrapKubeconfig: pulumi.Input<string>;
}

/** Starts the kubelet with the bootstrap token and waits until the node is Ready. When it is removed, it drains the node, stops the kubelet and wipes its keys. */
export function joinCluster(context: StepContext, inputs: JoinInputs): remote.Command {
  const { name, worker, parent } = context;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-join`,
    {
      ...commonArgs(context),
      create: run.step("join"),
      delete: run.stepIfInstalled("leave"),
      stdin: pulumi.secret(pulumi.concat(duplicateNote(context, inputs.host), inputs.bootstrapKubeconfig)),
      triggers: [inputs.kubelet.id],
    },
    {
      parent,
      dependsOn: [...inputs.dependsOn],
      // A new token is for workers that have yet to join. It does not change this node.
      ignoreChanges: ["stdin"],
      replacementTrigger: worker.generation,
      deleteBeforeReplace: true,
    },
  );
}

/**
 * Tells join.sh whose machine this already is. join.sh checks again and rejects a duplicate. An error here would leave the host's old answer in the state.
 */
const duplicateNote = ({ worker }: StepContext, host: remote.Command): pulumi.Output<string> =>
  host.stdout.apply((stdout) => {
    const checked = parseHostReceipt(stdout);
    const owner = worker.machines.claim(worker.name, checked);
    return owner ? `# machine ${checked.machine} is ${owner}\n` : "";
  });
