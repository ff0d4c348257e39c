import * as pulumi from "@pulumi/pulumi";
import { KUBELET_SIGNER, NODES_GROUP, REQUEST_ANNOTATION, TOKEN_USER_PREFIX, WORKER_LABEL } from "../cluster/names";
import { tokenGroupOf } from "../tokens/tokenGroup";
import { refuse } from "../validation/refuse";
import {
  at,
  celList,
  denyBy,
  matchConstraints,
  inVariables,
  oneBlock,
  onRequests,
  type PolicySpec,
  REQUEST,
  sizeProblemOf,
} from "./admission";
import { COMPARE_FROM, namePatterns, prefixPatterns, REQUEST_BEGIN, requestLengths } from "./csrPattern";

/** The node names that the bootstrap tokens of one group may claim: a list, or all names with a prefix. Give exactly one of the two. */
export interface ClaimSpec {
  /** Pool or scale group, for the names of objects. */
  readonly name: string;
  /** The group that the tokens carry. */
  readonly group: string;
  /** Node names. */
  readonly nodes?: string[];
  /** Prefix of node names. */
  readonly namePrefix?: string;
}

/** Selects the Nodes that a stack of this module has declared. */
const DECLARED_NODES = { matchExpressions: [{ key: WORKER_LABEL, operator: "Exists" }] };

export interface JoinPolicyArgs {
  readonly claims: ClaimSpec[];
}

/**
 * Who may claim which node name. Kubernetes itself gives the holder of any bootstrap token a certificate for any node, also one that is
 * Ready; ValidatingAdmissionPolicies close that:
 *
 * - the tokens of a pool may ask for kubelet client certificates only, and only for the names of that pool's workers;
 * - no bootstrap token may ask for the name of a declared Node that is Ready;
 * - a node cannot change the annotation of its Node by which that is told.
 *
 * The number of objects depends on the number of pools, not of workers. The names stand in the policy itself: with ConfigMaps as parameters an API server goes
 * on with what it knew of them when a policy is removed and made anew, until it restarts (kubernetes/kubernetes#130887; Nodes are not affected, since the API
 * server watches them for other reasons).
 */
export class JoinPolicy extends pulumi.ComponentResource {
  constructor(name: string, args: JoinPolicyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:JoinPolicy", name, {}, opts);
    refuse(
      `JoinPolicy '${name}'`,
      args.claims.map((claim, i) => [
        `claims[${i}]`,
        (claim.nodes === undefined) === (claim.namePrefix === undefined)
          ? "needs either 'nodes' or 'namePrefix'"
          : sizeProblem(claim),
      ]),
    );
    for (const claim of args.claims) this.#claim(`${name}-${claim.name}-names`, claim);

    this.#policy(
      `${name}-not-ready`,
      {
        ...onRequests,
        paramKind: { apiVersion: "v1", kind: "Node" },
        matchConditions: [
          { name: "bootstrap-token", expression: `request.userInfo.username.startsWith("${TOKEN_USER_PREFIX}")` },
        ],
        variables: [REQUEST],
        validations: [
          {
            expression: notReady,
            messageExpression:
              '"node " + params.metadata.name + " is Ready, and no bootstrap token may claim its name; to join it anew raise its generation"',
          },
        ],
      },
      // Nodes that are not declared by this module are not selected, and no Node is no reason to refuse.
      { selector: DECLARED_NODES, parameterNotFoundAction: "Allow" },
    );

    this.#policy(`${name}-fixed-annotation`, {
      failurePolicy: "Fail",
      matchConstraints: matchConstraints(
        { apiGroups: [""], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["nodes", "nodes/status"] },
        DECLARED_NODES,
      ),
      matchConditions: [{ name: "node", expression: `"${NODES_GROUP}" in request.userInfo.groups` }],
      validations: [
        {
          expression: `${annotationOf("object")} == ${annotationOf("oldObject")}`,
          message: `a node may not change its annotation ${REQUEST_ANNOTATION}`,
        },
      ],
    });
    this.registerOutputs({});
  }

  #claim(name: string, claim: ClaimSpec): void {
    const names = claimedNames(claim);
    const what = claim.nodes ? `the workers of ${claim.name}` : `names that begin with '${claim.namePrefix}'`;
    this.#policy(name, {
      ...onRequests,
      matchConditions: [{ name: "token", expression: `"${claim.group}" in request.userInfo.groups` }],
      variables: [REQUEST, ...names],
      validations: [
        {
          expression: `object.spec.signerName == "${KUBELET_SIGNER}"`,
          message: `a token of ${claim.group} is for certificates of kubelets (${KUBELET_SIGNER}) only`,
        },
        {
          expression: `${wellFormed} && (${names.map(({ name }) => (claim.nodes ? asksForOneOf : asksForPrefixOf)(`variables.${name}`)).join(" || ")})`,
          message: `a token of ${claim.group} is for ${what} only`,
        },
      ],
    });
  }

  #policy(name: string, spec: PolicySpec, paramRef?: object): void {
    denyBy(name, spec, this, paramRef);
  }
}

/** Why the policy for a pool's names could not be stored. */
export const poolNamesProblem = (pool: {
  readonly name: string;
  readonly workers: readonly { readonly name: string }[];
}) => sizeProblem({ name: pool.name, group: tokenGroupOf(pool.name), nodes: pool.workers.map(({ name }) => name) });

function sizeProblem(claim: ClaimSpec): string | undefined {
  return claim.nodes ? sizeProblemOf(claimedNames(claim), claim.nodes.length, "join policy") : undefined;
}

/** What requests for the claimed names look like, as lists with a line for each: a preview shows whose line comes or goes. */
function claimedNames(claim: ClaimSpec): { name: string; expression: string }[] {
  const lines = claim.nodes
    ? [...claim.nodes].sort().flatMap((node) => namePatterns(node).map((text) => `  "${text}", // ${node}`))
    : prefixPatterns(claim.namePrefix!).map(
        ({ head, boundary, boundaryLength, tailFrom, tail }) =>
          `  "${[head, boundary, boundaryLength, tailFrom, tail].join(" ")}",`,
      );
  return inVariables("names", "[]", lines);
}

/** What requests for a name look like, for the annotation of its Node. */
export const renderNamePatterns = (node: string): string => namePatterns(node).join(",");

/** One PEM block from the first character on, without headers. */
const wellFormed =
  `${oneBlock} && size(variables.request) > ${COMPARE_FROM} && ` +
  `variables.request.substring(${REQUEST_BEGIN.length}, ${COMPARE_FROM}) in ${celList(requestLengths())}`;

const asksForOneOf = (patterns: string): string =>
  `${patterns}.exists(text, size(variables.request) > ${COMPARE_FROM} + size(text) && ` +
  `${at(COMPARE_FROM, "size(text)")} == text)`;

const asksForPrefixOf = (patterns: string): string =>
  `${patterns}.map(text, text.split(" ")).exists(part, ` +
  "size(variables.request) > int(part[3]) + size(part[4]) && " +
  `${at(COMPARE_FROM, "size(part[0])")} == part[0] && ` +
  `${at(`${COMPARE_FROM} + size(part[0])`, "int(part[2])")}.matches("^" + part[1] + "$") && ` +
  `${at("int(part[3])", "size(part[4])")} == part[4])`;

const annotationOf = (object: string): string =>
  `${object}.metadata.?annotations[?"${REQUEST_ANNOTATION}"].orValue("")`;

const notReady =
  `!(${annotationOf("params")} != "" && ${asksForOneOf(`${annotationOf("params")}.split(",")`)}) || ` +
  '!params.status.?conditions.orValue([]).exists(c, c.type == "Ready" && c.status == "True")';
