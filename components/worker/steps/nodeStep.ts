import { Node } from "@pulumi/kubernetes/core/v1";
import { PATCH_FORCE } from "../../cluster/names";
import type { StepContext } from "./step";

/** Declares the Node with its labels and taints, before the kubelet joins. */
export function declareNode({ name, worker, parent }: StepContext): Node {
  return new Node(
    `${name}-node`,
    {
      metadata: {
        name: worker.name,
        labels: worker.labels,
        annotations: PATCH_FORCE,
      },
      spec: worker.taints.length > 0 ? { taints: worker.taints } : {},
    },
    {
      parent,
      // Keeps an administrator's cordon. Otherwise the provider takes over this field, and lifts the cordon when a label changes.
      ignoreChanges: ["spec.unschedulable"],
    },
  );
}
