import * as pulumi from "@pulumi/pulumi";
import { KUBELET_SIGNER, TOKEN_USER_PREFIX } from "../cluster/names";
import * as rules from "../validation/rules";
import { type Check, refuse } from "../validation/refuse";
import {
  bindPolicy,
  declarePolicy,
  denyBy,
  inVariables,
  onRequests,
  type PolicySpec,
  sizeProblemOf,
} from "./admission";
import { type CelVariable, celText } from "./cel";
import { DECODE_CLIENT_REQUEST } from "./decodeRequest";
import { readyNodesPolicy, selectNodes } from "./readyNodes";

/** The node names that the bootstrap tokens of one group may claim: a list, or all names with a prefix. Give exactly one of the two. */
export interface ClaimSpec {
  /** Pool or scale group. Denials show it. */
  readonly name: string;
  /** The group that the tokens carry. */
  readonly group: string;
  /** Node names. */
  readonly nodes?: string[];
  /** Prefix of node names. A name has at least one character more. */
  readonly namePrefix?: string;
}

/** Names of ValidatingAdmissionPolicies. */
export interface ClaimPolicies {
  /** Denies the names of others. */
  readonly names: string;
  /** Denies the names of Ready nodes. */
  readonly readyNodes: string;
}

export interface JoinPolicyArgs {
  readonly claims: ClaimSpec[];
  /**
   * Whether the Ready nodes of the claims with `nodes` are protected all the time. `false` leaves that to others, who bind the policy
   * `readyNodes` while a token is valid: each protected Node costs the API server some time in every certificate request.
   * @default true
   */
  readonly bindReadyNodes?: boolean;
}

/**
 * Who may claim which node name. Kubernetes itself gives the holder of any bootstrap token a certificate for any node, also for one that is
 * Ready. ValidatingAdmissionPolicies close that:
 *
 * - A token with the group of a claim may ask for kubelet client certificates only, and only for the names of its claims.
 * - No other bootstrap token of the cluster may ask for these names.
 * - No token of a claim may ask for the name of a Node that is Ready.
 * - A token of a claim with a prefix may not ask for the name of a Node that exists without the label `tls-bootstrap/scale-group: <claim>`.
 *
 * The names stand in the policy itself. With ConfigMaps as parameters an API server goes on with what it knew of them when a policy is
 * removed and made anew, until it restarts (kubernetes/kubernetes#130887). Nodes are not affected, since the API server watches them anyway.
 *
 * @throws pulumi.RunError with all problems of the claims, before anything is declared.
 */
export class JoinPolicy extends pulumi.ComponentResource {
  /** Names of the policies that restrain the tokens of a claim, by claim. */
  readonly policies: Record<string, ClaimPolicies>;

  constructor(name: string, args: JoinPolicyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:JoinPolicy", name, {}, opts);
    const { claims, bindReadyNodes = true } = args;
    refuse(`JoinPolicy '${name}'`, claimProblems(claims));
    const names = `${name}-names`;
    denyBy(names, namesPolicy(claims), this);
    this.policies = Object.fromEntries(
      claims.map(({ name: claim, group, nodes }) => {
        const readyNodes = `${name}-${claim}-ready`;
        const policy = declarePolicy(readyNodes, readyNodesPolicy(group, nodes ? undefined : claim), this);
        const isBound = nodes === undefined || (bindReadyNodes && nodes.length > 0);
        if (isBound) bindPolicy(readyNodes, policy, this, selectNodes(nodes));
        return [claim, { names, readyNodes }];
      }),
    );
    this.registerOutputs({ policies: this.policies });
  }
}

/** Names and groups go into CEL, so they must be well formed. */
function claimProblems(claims: readonly ClaimSpec[]): Check[] {
  const owners = new Map<string, string>();
  const duplicate = (node: string, claim: string) => {
    const owner = owners.get(node);
    owners.set(node, owner ?? claim);
    return owner && `is a name of claim ${owner} already`;
  };
  const checks = claims.flatMap(({ name, group, nodes, namePrefix }, i): Check[] => [
    [`claims[${i}].name`, rules.poolName(name), name],
    [`claims[${i}].group`, rules.bindingGroup(group), group],
    [
      `claims[${i}]`,
      (nodes === undefined) === (namePrefix === undefined) ? "needs either 'nodes' or 'namePrefix'" : undefined,
    ],
    ...(nodes ?? []).map((node, j): Check => [
      `claims[${i}].nodes[${j}]`,
      rules.nodeName(node) ?? duplicate(node, name),
      node,
    ]),
    [`claims[${i}].namePrefix`, namePrefix === undefined ? undefined : rules.namePrefix(namePrefix), namePrefix],
  ]);
  const names = claims.flatMap(({ nodes = [] }) => nodes);
  return [...checks, ["claims", sizeProblemOf(listed(claims), names.length, "join policy", "stacks")]];
}

/** Which claim each listed name belongs to. A line for each name: a preview shows whose line comes or goes. */
const listed = (claims: readonly ClaimSpec[]): CelVariable[] =>
  inVariables(
    "listed",
    "{}",
    claims.flatMap(({ name, nodes = [] }) => nodes.map((node) => `  ${celText(node)}: ${celText(name)},`)).sort(),
  );

/** What the tokens of a claim may ask for, as denials say it. */
const extentOf = ({ namePrefix }: ClaimSpec): string =>
  namePrefix === undefined ? "its nodes" : `names that begin with '${namePrefix}'`;

/** Each name has one owner, whose tokens may ask for it, and no others. */
function namesPolicy(claims: readonly ClaimSpec[]): PolicySpec {
  const names = listed(claims);
  const prefixes = claims.flatMap(({ name, namePrefix }) =>
    namePrefix === undefined
      ? []
      : `variables.name.startsWith("${namePrefix}") && size(variables.name) > ${namePrefix.length} ? "${name}" : `,
  );
  const isForKubelets = `object.spec.signerName == "${KUBELET_SIGNER}"`;
  return {
    ...onRequests,
    matchConditions: [
      { name: "bootstrap-token", expression: `request.userInfo.username.startsWith("${TOKEN_USER_PREFIX}")` },
      {
        name: "kubelet-or-own-token",
        expression: `${isForKubelets} || request.userInfo.groups.exists(group, group in ${celText(claims.map(({ group }) => group))})`,
      },
    ],
    variables: [
      ...DECODE_CLIENT_REQUEST,
      { name: "claims", expression: celText(Object.fromEntries(claims.map(({ name, group }) => [group, name]))) },
      { name: "groups", expression: celText(Object.fromEntries(claims.map(({ name, group }) => [name, group]))) },
      {
        name: "extents",
        expression: celText(Object.fromEntries(claims.map((claim) => [claim.name, extentOf(claim)]))),
      },
      // The claims of this token.
      {
        name: "own",
        expression: "request.userInfo.groups.filter(g, g in variables.claims).map(g, variables.claims[g])",
      },
      ...names,
      {
        name: "owner",
        expression: `${names.map(({ name }) => `variables.${name}[?variables.name]`).join(".or(")}${")".repeat(names.length - 1)}.orValue(${prefixes.join("")}"")`,
      },
    ],
    validations: [
      {
        expression: isForKubelets,
        messageExpression: `"a token of " + variables.own.join(", ") + " is for certificates of kubelets (${KUBELET_SIGNER}) only"`,
      },
      {
        // The names of others need no look at the rest of the request, which is not theirs to judge.
        expression: 'size(variables.own) == 0 ? variables.isNamed : variables.node != ""',
        message: "a bootstrap token may ask for a certificate as a kubelet does only, and this request is another",
      },
      {
        // The API server evaluates messages for allowed requests, too, and all variables anew. So this reads the name alone.
        expression: 'variables.owner == "" ? size(variables.own) == 0 : variables.owner in variables.own',
        messageExpression:
          '"asks for node \'" + variables.name + "\': " + (size(variables.own) == 0' +
          ' ? "only a token with the group " + variables.groups[variables.owner] + " may ask for it"' +
          ' : "a token of " + variables.own.join(", ") + " may ask for " + variables.own.map(c, variables.extents[c]).join(" and ") + " only")',
      },
    ],
  };
}
