import * as pulumi from "@pulumi/pulumi";
import { resolveWorker } from "../spec/resolve";
import type { ClusterSpec, EnvironmentSpec, WorkerSpec } from "../spec/specs";
import { refuse } from "../validation/refuse";
import { hashOf } from "../host/hostFiles";
import { type JoinReceipt, parseReceipt } from "./receipt";
import { sendAirGap } from "./steps/airGap";
import { prepareHost } from "./steps/host";
import { joinCluster } from "./steps/join";
import { kubeletFiles, writeKubeletFiles } from "./steps/kubelet";
import { startKubeProxy } from "./steps/kubeProxy";
import { declareNode } from "./steps/node";
import { installServingCertificate } from "./steps/serving";

export interface WorkerArgs extends EnvironmentSpec, WorkerSpec {
  /** The API server as the worker reaches it. */
  readonly cluster: ClusterSpec;
  /** Kubeconfig with the bootstrap token. Only a join uses it: the first one, and one of another machine or generation. */
  readonly bootstrapKubeconfig: pulumi.Input<string>;
  /**
   * The `pulumi up` command that mints a new token, for the error of a join whose token is no longer accepted. Errors that ask to join the
   * worker again show the command with more options.
   */
  readonly mintCommand: string;
  /** Kubeconfig of kube-proxy. Required with `kubeProxy.mode: unit`, see {@link KubeProxy}. */
  readonly kubeProxyKubeconfig?: pulumi.Input<string>;
}

/**
 * One VM as a Kubernetes node: its declared Node object, and its steps over SSH, each in a file of the folder `steps`: air-gap, host, serving, kubelet,
 * kube-proxy, join. The join waits for what the Worker depends on.
 *
 * @throws pulumi.RunError with all problems of the arguments, before anything is declared.
 */
export class Worker extends pulumi.ComponentResource {
  /** Proof that the node joined. */
  readonly receipt: pulumi.Output<JoinReceipt>;

  constructor(name: string, args: WorkerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:Worker", name, {}, opts);
    const { bootstrapKubeconfig, mintCommand, kubeProxyKubeconfig, ...spec } = args;
    const worker = resolveWorker(`Worker '${name}'`, spec);
    const { mode, ca } = worker.servingCertificates;
    const needsCredential = worker.kubeProxy.mode === "unit" && kubeProxyKubeconfig === undefined;
    refuse(`Worker '${name}'`, [
      ["kubeProxyKubeconfig", needsCredential ? "is required for a kube-proxy unit" : undefined],
      ["servingCertificates.ca", mode === "issued" && !ca ? "is required with the mode 'issued'" : undefined],
    ]);

    const context = { name, worker, mintCommand, parent: this };
    const node = declareNode(context);
    const host = prepareHost(context, sendAirGap(context));
    const serving = installServingCertificate(context, host);
    const files = kubeletFiles(context);
    const kubelet = writeKubeletFiles(context, files, host, serving);
    const kubeProxy = startKubeProxy(context, kubeProxyKubeconfig, kubelet);
    const before = [opts?.dependsOn ?? []].flat() as pulumi.Resource[];
    const dependsOn = [node, ...(kubeProxy ? [kubeProxy] : []), ...before];
    const join = joinCluster(context, { host, kubelet, dependsOn, bootstrapKubeconfig });

    this.receipt = pulumi
      // The kubelet command's id: known in previews of a change, and available only after the files are written.
      .unsecret(pulumi.all([files, kubelet.id, host.stdout, join.stdout]))
      .apply(([list, , checked, joined]) =>
        parseReceipt({ kubeletVersion: `v${worker.kubernetesVersion}`, configHash: hashOf(list) }, checked, joined),
      );
    this.registerOutputs({ receipt: this.receipt });
  }
}
