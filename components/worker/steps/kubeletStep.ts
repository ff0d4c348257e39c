import { remote } from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import { type HostFile, renderBundle } from "../../host/hostFiles";
import { kubeletFiles } from "../files/kubeletFiles";
import { commandLines, commonArgs, type StepContext } from "./step";

/** The files that the step kubelet writes. */
export const filesOfWorker = ({ worker, facts }: StepContext): pulumi.Output<HostFile[]> =>
  facts.apply((known) => kubeletFiles(worker, known));

/** Writes the files and restarts the kubelet when they change. The files' text is the input, so a preview shows the lines that change. */
export function writeKubeletFiles(
  context: StepContext,
  files: pulumi.Output<HostFile[]>,
  host: remote.Command,
  dependsOn: pulumi.Resource[],
): remote.Command {
  const { name, parent } = context;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-kubelet`,
    {
      ...commonArgs(context),
      create: run.step("kubelet apply"),
      stdin: files.apply(renderBundle),
      // What was prepared anew gets its files anew.
      triggers: [host.id],
    },
    { parent, dependsOn: [...dependsOn, ...(context.worker.after ? [context.worker.after] : [])] },
  );
}
