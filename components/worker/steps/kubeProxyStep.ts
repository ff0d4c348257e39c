import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { commandLines, commonArgs, type StepContext } from "./step";

/** Writes kube-proxy's credential and enables its unit. Undefined unless the mode is `unit`. The step kubelet removes both with the unit. */
export function startKubeProxy(
  context: StepContext,
  kubeconfig: pulumi.Input<string> | undefined,
  kubelet: remote.Command,
): remote.Command | undefined {
  const { name, worker, parent } = context;
  if (worker.kubeProxy.mode !== "unit") return undefined;
  const run = commandLines(context);
  return new remote.Command(
    `${name}-kube-proxy`,
    {
      ...commonArgs(context),
      create: run.step("kube-proxy apply"),
      stdin: pulumi.secret(kubeconfig!), // the Worker refuses mode `unit` without it
      triggers: [kubelet.id],
    },
    { parent },
  );
}
