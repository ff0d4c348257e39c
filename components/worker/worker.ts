import * as pulumi from "@pulumi/pulumi";
import { resolveWorker } from "../spec/resolve";
import type { ClusterSpec, EnvironmentSpec, WorkerSpec } from "../spec/specs";
import { refuse } from "../validation/refuse";
import { runtimeInUse } from "../runtime/runtimeFiles";
import { configHashOf } from "./configHash";
import { runtimeArgsOf } from "./files/hostVariables";
import { retryUntilHostAnswers } from "./hostRetry";
import { type JoinReceipt, parseReceipt } from "./receipt";
import { sendAirGap } from "./steps/airGapStep";
import { prepareHost } from "./steps/hostStep";
import { joinCluster } from "./steps/joinStep";
import { declareLeave } from "./steps/leaveStep";
import { filesOfWorker, writeKubeletFiles } from "./steps/kubeletStep";
import { startKubeProxy } from "./steps/kubeProxyStep";
import { declareNode } from "./steps/nodeStep";
import { installServingCertificate } from "./steps/servingStep";

export interface WorkerArgs extends EnvironmentSpec, WorkerSpec {
  /** Version of Kubernetes on the worker. */
  readonly kubernetesVersion: string;
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
 * One VM as a Kubernetes node: its Node object, its steps over SSH (air-gap, host, serving, kubelet, kube-proxy, join), and how it leaves.
 * The step join waits for the resources in `dependsOn`. A lost worker has no Node and no steps.
 *
 * @throws pulumi.RunError with all problems of the arguments, before anything is declared.
 */
export class Worker extends pulumi.ComponentResource {
  /** Proof that the node joined. Undefined for a lost worker. */
  readonly receipt?: pulumi.Output<JoinReceipt>;

  readonly #kubelet?: pulumi.Resource;
  readonly #lastStep: pulumi.Resource;

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

    const owner = new Promise<string>((resolve) => void this.urn.apply(resolve));
    const { cluster, nodeAddress } = worker;
    // Once for all steps, because each output of several values makes some hundred promises.
    const facts = pulumi.output({ cluster, nodeAddress, owner, mintCommand, joinPolicyName });
    const context = { name, worker, mintCommand, owner, facts, parent: this };
    if (worker.lost) {
      this.#lastStep = declareLeave(context, []);
      this.registerOutputs({});
      return;
    }
    const { node, patches } = declareNode(context);
    const host = prepareHost(context, sendAirGap(context));
    const leave = declareLeave(context, [node, host]);
    const serving = installServingCertificate(context, host);
    const files = filesOfWorker(context);
    const kubelet = writeKubeletFiles(context, files, host, [leave, ...(serving ? [serving] : [])]);
    this.#kubelet = kubelet;
    const kubeProxy = startKubeProxy(context, kubeProxyKubeconfig, kubelet);
    const before = [opts?.dependsOn ?? []].flat() as pulumi.Resource[];
    const dependsOn = [node, ...patches, ...(kubeProxy ? [kubeProxy] : []), ...before];
    const join = joinCluster(context, { host, kubelet, dependsOn, bootstrapKubeconfig });
    this.#lastStep = join;

    this.receipt = pulumi
      // The kubelet command's id is known in the preview of a change, and exists only after the files are written.
      .unsecret(pulumi.all([files, kubelet.id, host.stdout, join.stdout]))
      .apply(([written, , hostStdout, joinStdout]) =>
        parseReceipt(
          {
            kubeletVersion: `v${worker.kubernetesVersion}`,
            runtime: runtimeInUse(worker.runtime, runtimeArgsOf(worker)).RUNTIME_RELEASES,
            configHash: configHashOf(written),
          },
          hostStdout,
          joinStdout,
        ),
      );
    this.registerOutputs({ receipt: this.receipt });
  }

  /** The one step that may disrupt the node after its join. Undefined for a lost worker. */
  disruption(): pulumi.Resource | undefined {
    return this.#kubelet;
  }

  /** The step that ends last: join. */
  lastStep(): pulumi.Resource {
    return this.#lastStep;
  }
}
