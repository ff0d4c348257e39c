import { remote } from "@pulumi/command";
import { runtimeFiles } from "../../runtime/runtimeFiles";
import { hostVariables, runtimeArgsOf } from "../files/hostVariables";
import { renderHostScript } from "../hostScript";
import { airGapVariables, downloadSites } from "./airGapStep";
import { commandLines, commonArgs, machineOf, replaceCommand, type StepContext } from "./step";

/** Checks the VM, prepares its kernel, and installs the Kubernetes binaries and the container runtime. */
export function prepareHost(context: StepContext, archive: remote.CopyToRemote | undefined): remote.Command {
  const { name, worker, facts, parent } = context;
  const run = commandLines(context);
  const script = facts.apply(({ cluster: { server }, nodeAddress, owner }) =>
    renderHostScript(
      hostVariables(worker, {
        ...{ server, nodeAddress, owner },
        replaceCommand: rejoinCommand(context),
        sites: downloadSites(context),
        airGap: airGapVariables(context),
      }),
      runtimeFiles(worker.runtime, runtimeArgsOf(worker)),
    ),
  );
  return new remote.Command(
    `${name}-host`,
    {
      ...commonArgs(context),
      create: run.script("create"),
      update: run.script("update"),
      stdin: script,
      triggers: [machineOf(worker)],
    },
    { parent, dependsOn: archive ? [archive] : [] },
  );
}

/** The command that prepares the host again. */
export const rejoinCommand = (context: StepContext): string =>
  replaceCommand(context, context.worker.airGap === undefined ? ["host"] : ["host", "air-gap"]);
