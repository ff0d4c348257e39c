import { Node, NodePatch } from "@pulumi/kubernetes/core/v1";
import type * as pulumi from "@pulumi/pulumi";
import { PATCH_FORCE, WORKER_LABEL } from "../../cluster/names";
import type { StepContext } from "./step";

/**
 * The taint of a node that no cloud controller has initialized. A kubelet with `--cloud-provider=external` sets it only on a Node that it makes
 * itself.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/kubelet_node_status.go initialNode
 */
const UNINITIALIZED = { key: "node.cloudprovider.kubernetes.io/uninitialized", value: "true", effect: "NoSchedule" };

/** The Node, and what else its kubelet must find. */
export interface DeclaredNode {
  readonly node: Node;
  readonly patches: NodePatch[];
}

/**
 * Declares the Node before the kubelet joins. Each of these writes replaces the whole list of taints, because the API knows no single taint: the
 * Node's, when it is made and when the declared taints change, and the one for a cloud controller, once. Labels are a resource of their own, so
 * that a changed label leaves the taints alone that others have set.
 */
export function declareNode({ name, worker, parent }: StepContext): DeclaredNode {
  const { [WORKER_LABEL]: scope, ...labels } = worker.labels;
  const node = new Node(
    `${name}-node`,
    {
      metadata: { name: worker.name, labels: { [WORKER_LABEL]: scope }, annotations: PATCH_FORCE },
      spec: { taints: worker.taints },
    },
    {
      parent,
      // Keeps an administrator's cordon. Otherwise the provider takes over this field, and lifts the cordon when a taint changes.
      ignoreChanges: ["spec.unschedulable"],
    },
  );
  const patch = (what: string, change: object, opts: pulumi.CustomResourceOptions = {}) =>
    new NodePatch(
      `${name}-${what}`,
      { metadata: { name: worker.name, annotations: PATCH_FORCE }, ...change },
      { parent, dependsOn: node, deletedWith: node, ...opts },
    );
  const patches = [patch("labels", { metadata: { name: worker.name, labels, annotations: PATCH_FORCE } })];
  if (worker.kubeletFlags["cloud-provider"] === "external")
    patches.push(
      patch(
        "uninitialized",
        { spec: { taints: [...worker.taints, UNINITIALIZED] } },
        // The cloud controller removes the taint.
        { ignoreChanges: ["spec"], replacementTrigger: node.metadata.uid },
      ),
    );
  return { node, patches };
}
