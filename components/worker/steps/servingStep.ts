import { remote } from "@pulumi/command";
import { signServingCertificate } from "../../serving/servingCertificate";
import { rejoinCommand } from "./hostStep";
import { commandLines, commonArgs, type StepContext } from "./step";

/**
 * Signs the kubelet's serving certificate and installs it. Undefined unless the mode is `issued`. The certificate is not among the kubelet's files:
 * their text would be unknown in the preview of a new worker and of a renewal.
 */
export function installServingCertificate(context: StepContext, host: remote.Command): remote.Command | undefined {
  const { name, worker, parent } = context;
  const { mode, ca } = worker.servingCertificates;
  if (mode !== "issued") return undefined;
  const run = commandLines(context);
  const certificate = signServingCertificate(
    `${name}-serving-certificate`,
    {
      node: worker.name,
      address: worker.nodeAddress,
      host,
      ca: ca!, // the Worker refuses mode `issued` without it
      replaceCommand: rejoinCommand(context),
    },
    { parent },
  );
  return new remote.Command(
    `${name}-serving`,
    {
      ...commonArgs(context),
      create: run.step("serving apply"),
      stdin: certificate.certPem,
      triggers: [host.id],
    },
    { parent },
  );
}
