import { Node } from "@pulumi/kubernetes/core/v1";
import { renderNamePatterns } from "../../admission/joinPolicy";
import { PATCH_FORCE, REQUEST_ANNOTATION } from "../../cluster/names";
import type { StepContext } from "./step";

/** The Node, declared before the kubelet joins, with its labels and taints. */
export function declareNode({ name, worker, parent }: StepContext): Node {
  return new Node(
    `${name}-node`,
    {
      metadata: {
        name: worker.name,
        labels: worker.labels,
        annotations: { ...PATCH_FORCE, [REQUEST_ANNOTATION]: renderNamePatterns(worker.name) },
      },
      spec: worker.taints.length > 0 ? { taints: worker.taints } : {},
    },
    {
      parent,
      // An administrator's cordon. Without this, the provider takes over what kubectl wrote, and drops it when a label changes.
      ignoreChanges: ["spec.unschedulable"],
    },
  );
}
