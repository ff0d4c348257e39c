/**
 * What the admission policies for certificate requests share. They are written in CEL; see decodeRequest.ts.
 */
import {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@pulumi/kubernetes/admissionregistration/v1";
import type * as pulumi from "@pulumi/pulumi";

export type PolicySpec = NonNullable<ConstructorParameters<typeof ValidatingAdmissionPolicy>[1]>["spec"];

/** Declares a policy. It is in force when a binding exists. */
export const declarePolicy = (name: string, spec: PolicySpec, parent: pulumi.Resource): ValidatingAdmissionPolicy =>
  new ValidatingAdmissionPolicy(name, { metadata: { name }, spec }, { parent });

/** Binds a policy, so that it denies. The binding has the policy's name. */
export function bindPolicy(
  name: string,
  policy: ValidatingAdmissionPolicy,
  parent: pulumi.Resource,
  paramRef?: object,
): void {
  new ValidatingAdmissionPolicyBinding(
    name,
    {
      metadata: { name },
      spec: { policyName: policy.metadata.name, validationActions: ["Deny"], ...(paramRef && { paramRef }) },
    },
    { parent },
  );
}

/** Declares a policy that denies. */
export const denyBy = (name: string, spec: PolicySpec, parent: pulumi.Resource): void =>
  bindPolicy(name, declarePolicy(name, spec, parent), parent);

/**
 * The creation of objects of one kind. The API server's defaults are written out: the field is atomic, so a policy that an interrupted update
 * has left can be taken over only by the field as it is stored.
 */
const creationOf = (resource: string, apiGroup: string) => ({
  matchPolicy: "Equivalent",
  namespaceSelector: {},
  objectSelector: {},
  resourceRules: [
    { apiGroups: [apiGroup], apiVersions: ["v1"], operations: ["CREATE"], resources: [resource], scope: "*" },
  ],
});

/** Fails closed, on the creation of certificate requests. */
export const onRequests = {
  failurePolicy: "Fail",
  matchConstraints: creationOf("certificatesigningrequests", "certificates.k8s.io"),
};

/** Matches nothing, since no API server has such a group. */
export const NO_REQUESTS = creationOf("none", "none.invalid");

/** CEL is not parsed beyond 100,000 characters of one expression (apiserver/pkg/cel: limits). */
const LONGEST_EXPRESSION = 90_000;

/** An object of more than 1.5 MiB does not fit into etcd (its --max-request-bytes); some of it is not ours to fill. */
const LARGEST_POLICY = 1_400_000;

/** Lists or maps with a line for each entry, as variables `<name>0`, `<name>1`, …: a preview shows whose line comes or goes. */
export function inVariables(
  name: string,
  [open, close]: "[]" | "{}" | readonly string[],
  lines: readonly string[],
): { name: string; expression: string }[] {
  const parts: string[][] = [[]];
  let length = 0;
  for (const line of lines) {
    length += line.length + 1;
    if (length > LONGEST_EXPRESSION) {
      parts.push([]);
      length = line.length;
    }
    parts.at(-1)!.push(line);
  }
  return parts.map((part, i) => ({ name: `${name}${i}`, expression: [open, ...part, close].join("\n") }));
}

/** What is wrong with variables for so many nodes that the policy could not be stored. */
export function sizeProblemOf(
  variables: readonly { expression: string }[],
  nodes: number,
  policy: string,
  parts: "pools" | "stacks",
): string | undefined {
  const size = variables.reduce((sum, { expression }) => sum + expression.length, 0);
  if (size <= LARGEST_POLICY) return undefined;
  const fitting = Math.floor((nodes * LARGEST_POLICY) / size / 100) * 100;
  return `are ${nodes}, and the ${policy} of so many names is too large for the cluster's etcd: divide them into ${parts} of at most ${fitting}`;
}
