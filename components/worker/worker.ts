import type { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { resolveWorker } from "../spec/resolve";
import type { ClusterSpec, EnvironmentSpec, WorkerSpec } from "../spec/specs";
import { refuse } from "../validation/refuse";
import { hashOf } from "../host/hostFiles";
import { retryUntilHostAnswers } from "./hostRetry";
import { type JoinReceipt, parseReceipt } from "./receipt";
import { sendAirGap } from "./steps/airGapStep";
import { prepareHost } from "./steps/hostStep";
import { joinCluster } from "./steps/joinStep";
import { kubeletFiles, writeKubeletFiles } from "./steps/kubeletStep";
import { startKubeProxy } from "./steps/kubeProxyStep";
import { declareNode } from "./steps/nodeStep";
import { installServingCertificate } from "./steps/servingStep";

export interface WorkerArgs extends EnvironmentSpec, WorkerSpec {
  /** The API server as the worker reaches it. */
  readonly cluster: ClusterSpec;
  /** Secret: kubeconfig with the bootstrap token. Only a join uses it: the first one, and one of another machine or generation. */
  readonly bootstrapKubeconfig: pulumi.Input<string>;
  /**
   * The `pulumi up` command that mints a new token. The step join prints it when the API server rejects the token. Errors that ask to join
   * the worker again show it with more options.
   */
  readonly mintCommand: string;
  /**
   * Name of the ValidatingAdmissionPolicy that allows the token the names of its pool only. The step join proves that the policy denies other
   * names.
   * @default nothing is proved
   */
  readonly joinPolicyName?: string;
  /** Secret: kubeconfig of kube-proxy. Required with `kubeProxy.mode: unit`. See {@link KubeProxy.kubeconfig}. */
  readonly kubeProxyKubeconfig?: pulumi.Input<string>;
}

/**
 * One VM as a Kubernetes node: its Node object, and its steps over SSH (air-gap, host, serving, kubelet, kube-proxy, join). The step join
 * waits for the resources in `dependsOn`.
 *
 * @throws pulumi.RunError with all problems of the arguments, before anything is declared.
 */
export class Worker extends pulumi.ComponentResource {
  /** Proof that the node joined. */
  readonly receipt: pulumi.Output<JoinReceipt>;

  readonly #join: remote.Command;

  constructor(name: string, args: WorkerArgs, opts?: pulumi.ComponentResourceOptions) {
    const { bootstrapKubeconfig, mintCommand, joinPolicyName, kubeProxyKubeconfig, ...spec } = args;
    const worker = resolveWorker(`Worker '${name}'`, spec);
    const transformations = [...(opts?.transformations ?? []), retryUntilHostAnswers(name, worker)];
    super("tls-bootstrap:index:Worker", name, {}, { ...opts, transformations });
    const { mode, ca } = worker.servingCertificates;
    const needsCredential = worker.kubeProxy.mode === "unit" && kubeProxyKubeconfig === undefined;
    refuse(`Worker '${name}'`, [
      ["kubeProxyKubeconfig", needsCredential ? "is required with kubeProxy.mode 'unit'" : undefined],
      [
        "servingCertificates.ca",
        mode === "issued" && !ca ? "is required with servingCertificates.mode 'issued'" : undefined,
      ],
    ]);

    const context = { name, worker, mintCommand, joinPolicyName, parent: this };
    const node = declareNode(context);
    const host = prepareHost(context, sendAirGap(context));
    const serving = installServingCertificate(context, host);
    const files = kubeletFiles(context);
    const kubelet = writeKubeletFiles(context, files, host, serving);
    const kubeProxy = startKubeProxy(context, kubeProxyKubeconfig, kubelet);
    const before = [opts?.dependsOn ?? []].flat() as pulumi.Resource[];
    const dependsOn = [node, ...(kubeProxy ? [kubeProxy] : []), ...before];
    this.#join = joinCluster(context, { host, kubelet, dependsOn, bootstrapKubeconfig });

    this.receipt = pulumi
      // The kubelet command's id is known in the preview of a change, and exists only after the files are written.
      .unsecret(pulumi.all([files, kubelet.id, host.stdout, this.#join.stdout]))
      .apply(([written, , hostStdout, joinStdout]) =>
        parseReceipt(
          { kubeletVersion: `v${worker.kubernetesVersion}`, configHash: hashOf(written) },
          hostStdout,
          joinStdout,
        ),
      );
    this.registerOutputs({ receipt: this.receipt });
  }

  /** The step join, which comes after all other steps. */
  lastStep(): pulumi.Resource {
    return this.#join;
  }
}
