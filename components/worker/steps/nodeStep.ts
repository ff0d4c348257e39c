import { Node, NodePatch } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { PATCH_FORCE, WORKER_LABEL } from "../../cluster/names";
import type { Taint } from "../../spec/poolSchema";
import { hooksAreKnown } from "../hooks";
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
      spec: worker.taints.length > 0 ? { taints: worker.taints } : {},
    },
    {
      parent,
      hooks: hooksAreKnown() ? { afterUpdate: [reportKeptTaints(name)] } : {},
      // What an administrator sets with kubectl. Otherwise the provider takes over these fields: when a taint changes, it lifts a cordon, and
      // fails to clear the id.
      ignoreChanges: ["spec.unschedulable", "spec.providerID"],
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
        { ignoreChanges: ["spec"], replaceWith: [node] },
      ),
    );
  return { node, patches };
}

/**
 * Warns of taints that are no longer declared, but still there. When no taints are left, the update gives up the list. If a controller has
 * changed the list since, it is the controller's too, and the API server keeps it. An empty list cannot be declared: the API server leaves
 * it out, and then each preview would show it as a change.
 */
const reportKeptTaints = (name: string): pulumi.ResourceHook =>
  new pulumi.ResourceHook(`${name}-kept-taints`, async ({ oldInputs, newInputs, newOutputs }) => {
    const idsOf = (node?: { spec?: { taints?: Taint[] } }) => (node?.spec?.taints ?? []).map(idOf);
    const [before, declared, live] = [oldInputs, newInputs, newOutputs].map(idsOf);
    const kept = live.filter((id) => before.includes(id) && !declared.includes(id));
    if (kept.length === 0) return;
    const node = (newOutputs as { metadata: { name: string } }).metadata.name;
    const command = `kubectl taint node ${node} ${kept.map((id) => `${id}-`).join(" ")}`;
    await pulumi.log.warn(
      `${node} still has taints that are no longer declared, because a controller has changed its taints: run '${command}'`,
    );
  });

/** A taint as `kubectl taint` names it to remove it. */
const idOf = ({ key, effect }: Taint): string => `${key}:${effect}`;
