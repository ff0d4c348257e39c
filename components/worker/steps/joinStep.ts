import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { parseHostReceipt } from "../receipt";
import { commandLines, commonArgs, type StepContext } from "./step";

export interface JoinInputs {
  readonly host: remote.Command;
  readonly kubelet: remote.Command;
  /** What must exist before the kubelet starts, besides `host` and `kubelet`. */
  readonly dependsOn: readonly pulumi.Resource[];
  readonly bootstrapKubeconfig: pulumi.Input<string>;
}

/**
 * Starts the kubelet with the bootstrap token, and waits until the node is Ready. With a raised generation the node leaves the cluster first.
 */
export function joinCluster(context: StepContext, inputs: JoinInputs): remote.Command {
  const { name, worker, parent } = context;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-join`,
    {
      ...commonArgs(context),
      create: run.step("join"),
      stdin: pulumi.secret(pulumi.concat(duplicateNote(context, inputs.host), inputs.bootstrapKubeconfig)),
      triggers: [inputs.kubelet.id],
    },
    {
      parent,
      dependsOn: [...inputs.dependsOn],
      // A node that has joined does not need a new token.
      ignoreChanges: ["stdin"],
      replacementTrigger: worker.generation,
    },
  );
}

/**
 * A comment line for join.sh when another worker has the same machine-id. join.sh checks again and rejects a duplicate. An error here would
 * keep the host's old machine-id in the state.
 */
const duplicateNote = ({ worker }: StepContext, host: remote.Command): pulumi.Output<string> =>
  host.stdout.apply((stdout) => {
    const checked = parseHostReceipt(stdout);
    const owner = worker.machines.claim(worker.name, checked);
    return owner ? `# machine ${checked.machine} is ${owner}\n` : "";
  });
