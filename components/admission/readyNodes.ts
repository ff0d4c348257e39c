/** The policies that protect the names of Nodes that exist from the tokens that may claim these names. */
import {
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicyBindingPatch,
} from "@pulumi/kubernetes/admissionregistration/v1";
import * as pulumi from "@pulumi/pulumi";
import { PATCH_FORCE, WORKER_LABEL } from "../cluster/names";
import { NO_REQUESTS, onRequests, type PolicySpec } from "./admission";
import { ASKS_FOR_NODE } from "./asksForNode";

/** Label that the machines of a scale group give their Node when it is made. Its value is the group's name. */
export const SCALE_GROUP_LABEL = "tls-bootstrap/scale-group";

const IS_READY = 'params.status.?conditions.orValue([]).exists(c, c.type == "Ready" && c.status == "True")';

/**
 * Denies requests for the names of the Nodes that the binding selects.
 * @param group of the tokens.
 * @param scaleGroup whose Nodes that are not Ready may be claimed. Without it, all Nodes that are not Ready may be claimed.
 */
export function readyNodesPolicy(group: string, scaleGroup?: string): PolicySpec {
  const mark = `params.metadata.?labels[?"${SCALE_GROUP_LABEL}"].orValue("")`;
  return {
    ...onRequests,
    paramKind: { apiVersion: "v1", kind: "Node" },
    matchConditions: [
      { name: "token", expression: `"${group}" in request.userInfo.groups` },
      {
        name: "protected-node",
        expression: scaleGroup === undefined ? IS_READY : `${IS_READY} || ${mark} != "${scaleGroup}"`,
      },
    ],
    validations: [
      {
        expression: `!(${ASKS_FOR_NODE})`,
        messageExpression:
          scaleGroup === undefined
            ? '"node " + params.metadata.name + " is Ready, and no bootstrap token may claim its name; to join it anew raise its generation"'
            : `"node " + params.metadata.name + " exists, and it is Ready or not labelled ${SCALE_GROUP_LABEL}=${scaleGroup}; no bootstrap token may claim its name before it is deleted"`,
      },
    ],
  };
}

/** The kubelet sets this label, also when it registers a Node anew that somebody has deleted. */
const named = (nodes: readonly string[]) => ({
  matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [...nodes].sort() }],
});

/** The workers of stacks have a policy of their own. */
const UNDECLARED = { matchExpressions: [{ key: WORKER_LABEL, operator: "DoesNotExist" }] };

/**
 * Selects these Nodes, or without names all Nodes that no stack has declared. That a worker has no Node yet is no reason to refuse.
 */
export const selectNodes = (nodes?: readonly string[]) => ({
  selector: nodes ? named(nodes) : UNDECLARED,
  parameterNotFoundAction: "Allow",
});

/** Ready nodes that are protected while a token is valid. */
export interface ReadyNodes {
  /** Name of the policy. {@link JoinPolicy.policies} has it. */
  readonly policy: string;
  /** Node names. */
  readonly nodes: string[];
}

/**
 * Protects Ready nodes while a token is valid. Each selected Node costs the API server time in every certificate request of the cluster, so
 * {@link releaseNodes} ends that when the token is revoked.
 */
export const bindForToken = (
  name: string,
  { policy, nodes }: ReadyNodes,
  tokenId: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): ValidatingAdmissionPolicyBinding =>
  new ValidatingAdmissionPolicyBinding(
    name,
    {
      metadata: { name: pulumi.interpolate`${policy}-${tokenId}` },
      spec: { policyName: policy, validationActions: ["Deny"], paramRef: selectNodes(nodes) },
    },
    // A change of the nodes comes with another token, and so with another name. In between, the release must stay.
    { ...opts, ignoreChanges: ["spec"] },
  );

/** From now on the binding concerns no request, so the API server does not look at Nodes for it. */
export const releaseNodes = (
  name: string,
  binding: ValidatingAdmissionPolicyBinding,
  opts: pulumi.CustomResourceOptions,
): ValidatingAdmissionPolicyBindingPatch =>
  new ValidatingAdmissionPolicyBindingPatch(
    name,
    {
      metadata: { name: binding.metadata.name, annotations: PATCH_FORCE },
      spec: { matchResources: NO_REQUESTS },
    },
    { ...opts, retainOnDelete: true },
  );
