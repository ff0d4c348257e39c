import type { remote } from "@pulumi/command";
import { ServingCertificate } from "../../serving/servingCertificate";
import { rejoinCommand } from "./hostStep";
import { commandLines, commonArgs, type StepContext } from "./step";

/** Signs the kubelet's serving certificate and installs it. Undefined unless the mode is `issued`. */
export function installServingCertificate(context: StepContext, host: remote.Command): remote.Command | undefined {
  const { name, worker, parent } = context;
  const { mode, ca } = worker.servingCertificates;
  if (mode !== "issued") return undefined;
  const run = commandLines(context);
  const { installed } = new ServingCertificate(
    `${name}-serving`,
    {
      node: worker.name,
      address: worker.nodeAddress,
      host,
      ca: ca!, // the Worker refuses mode `issued` without it
      replaceCommand: rejoinCommand(context),
      command: {
        ...commonArgs(context),
        create: run.step("serving apply"),
      },
    },
    { parent },
  );
  return installed;
}
