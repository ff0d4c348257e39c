/**
 * What the admission policies for certificate requests share. They are written in CEL, which cannot decode base64 but can compare it; see csrPattern.ts.
 */
import {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@pulumi/kubernetes/admissionregistration/v1";
import type * as pulumi from "@pulumi/pulumi";
import { BEGIN_AGAIN, REQUEST_BEGIN } from "./csrPattern";

export type PolicySpec = NonNullable<ConstructorParameters<typeof ValidatingAdmissionPolicy>[1]>["spec"];

/** Declares a policy that denies, and its binding. The policy is in force when the binding exists. */
export function denyBy(name: string, spec: PolicySpec, parent: pulumi.Resource, paramRef?: object): void {
  const policy = new ValidatingAdmissionPolicy(name, { metadata: { name }, spec }, { parent });
  new ValidatingAdmissionPolicyBinding(
    name,
    {
      metadata: { name },
      spec: { policyName: policy.metadata.name, validationActions: ["Deny"], ...(paramRef && { paramRef }) },
    },
    { parent },
  );
}

/**
 * The requests that a policy judges. The API server's defaults are written out: the field is atomic, so a policy that an interrupted
 * update has left can be taken over only by the field as it is stored.
 */
export const matchConstraints = (
  rule: { apiGroups: string[]; apiVersions: string[]; operations: string[]; resources: string[] },
  objectSelector: { matchExpressions?: { key: string; operator: string }[] } = {},
) => ({
  matchPolicy: "Equivalent",
  namespaceSelector: {},
  objectSelector,
  resourceRules: [{ ...rule, scope: "*" }],
});

/** Fails closed, on the creation of certificate requests. */
export const onRequests = {
  failurePolicy: "Fail",
  matchConstraints: matchConstraints({
    apiGroups: ["certificates.k8s.io"],
    apiVersions: ["v1"],
    operations: ["CREATE"],
    resources: ["certificatesigningrequests"],
  }),
};

/** The type checker takes the field for bytes; at run time it is text. */
export const REQUEST = { name: "request", expression: "string(object.spec.request)" };

export const celList = (texts: readonly string[]): string => `[${texts.map((text) => `"${text}"`).join(", ")}]`;

/** A piece of the request. */
export const at = (from: string | number, length: string): string =>
  `variables.request.substring(${from}, ${from} + ${length})`;

/** The request begins with a PEM block's first line, and has no other such line. */
export const oneBlock =
  `variables.request.startsWith("${REQUEST_BEGIN}") && ` +
  `!${celList(BEGIN_AGAIN)}.exists(text, variables.request.substring(${REQUEST_BEGIN.length}).contains(text))`;

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
): string | undefined {
  const size = variables.reduce((sum, { expression }) => sum + expression.length, 0);
  if (size <= LARGEST_POLICY) return undefined;
  const fitting = Math.floor((nodes * LARGEST_POLICY) / size / 100) * 100;
  return `are ${nodes}, and the ${policy} of so many names is too large for the cluster's etcd: divide them into pools of at most ${fitting}`;
}
