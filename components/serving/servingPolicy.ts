import * as pulumi from "@pulumi/pulumi";
import { KUBELET_SERVING_SIGNER, NODE_USER_PREFIX, TOKEN_USER_PREFIX } from "../cluster/names";
import type { ServingCertificatesMode } from "../spec/specs";
import { refuse } from "../validation/refuse";
import { servingNamesText } from "./servingNames";
import { denyBy, inVariables, onRequests, sizeProblemOf } from "../admission/admission";
import { celText } from "../admission/cel";
import { DECODE_SERVING_REQUEST } from "../admission/decodeRequest";

/** A node as it is declared. */
export interface ServingNode {
  readonly name: string;
  /** The address that it registers. */
  readonly address: pulumi.Input<string>;
}

/** The nodes of a pool. */
export interface ServingPool {
  /** For the names of objects. */
  readonly name: string;
  readonly nodes: ServingNode[];
}

/** Machines that nobody has declared. */
export interface ServingGroup {
  /** For the names of objects. */
  readonly name: string;
  /** The names of their nodes begin with it. */
  readonly namePrefix: string;
  /**
   * Ranges of their addresses, as CIDRs.
   * @default any address
   */
  readonly addresses?: string[];
}

export interface ServingPolicyArgs {
  readonly pools: ServingPool[];
  /**
   * Groups whose nodes request their serving certificates from the cluster, whatever the mode. Each may request one for its own name and
   * addresses in the group's ranges.
   * @default []
   */
  readonly groups?: ServingGroup[];
  /**
   * With `issued` the declared nodes may request no serving certificate from the cluster, since they get theirs another way. Otherwise each may request one for
   * its declared name and address.
   */
  readonly mode: ServingCertificatesMode;
}

/**
 * Which serving certificates nodes may request, as one ValidatingAdmissionPolicy for each pool and group. Without a policy, whoever controls a node can request
 * the address of another node or the name of a service, and the approver has to notice. With the policy the API server rejects such a request, so
 * an approver that approves everything is safe. Nodes that are not declared are left alone.
 *
 * What is allowed stands in the policy, not on the Nodes: a Node that is deleted comes back without what was declared on it.
 */
export class ServingPolicy extends pulumi.ComponentResource {
  constructor(name: string, args: ServingPolicyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ServingPolicy", name, {}, opts);
    for (const pool of args.pools) {
      const rules = pulumi.output(pool.nodes).apply((nodes) => {
        if (args.mode === "issued") return nothing(nodes);
        refuse(`ServingPolicy '${name}'`, [[`nodes of pool ${pool.name}`, servingSizeProblem(nodes)]]);
        return declaredNames(nodes);
      });
      denyBy(
        `${name}-${pool.name}-serving`,
        rules.apply((of) => ({ ...onRequests, matchConditions: MATCH_CONDITIONS, ...of })),
        this,
      );
    }
    for (const group of args.groups ?? [])
      denyBy(`${name}-${group.name}-serving`, { ...onRequests, ...namesOfGroup(group) }, this);
    this.registerOutputs({});
  }
}

const MATCH_CONDITIONS = [
  { name: "serving", expression: `object.spec.signerName == "${KUBELET_SERVING_SIGNER}"` },
  {
    name: "node-or-bootstrap-token",
    expression: [NODE_USER_PREFIX, TOKEN_USER_PREFIX]
      .map((prefix) => `request.userInfo.username.startsWith("${prefix}")`)
      .join(" || "),
  },
];

const POLICY = "policy for serving certificates";

/** Why the policy for a pool's nodes could not be stored, as far as their addresses are known. */
export function poolNodesProblem(pool: {
  readonly workers: readonly { readonly name: string; readonly nodeAddress: pulumi.Input<string> }[];
}): string | undefined {
  const nodes = pool.workers.map(({ name, nodeAddress }) => ({ name, address: nodeAddress }));
  return nodes.every(isKnown) ? servingSizeProblem(nodes) : undefined;
}

/** A node whose address is known. */
type KnownNode = pulumi.Unwrap<ServingNode>;

const isKnown = (node: ServingNode): node is KnownNode => typeof node.address === "string";

const servingSizeProblem = (nodes: readonly KnownNode[]): string | undefined =>
  sizeProblemOf(declared(nodes), nodes.length, POLICY, "pools");

const user = (node: string) => `${NODE_USER_PREFIX}${node}`;

const notByToken = {
  expression: `!request.userInfo.username.startsWith("${TOKEN_USER_PREFIX}")`,
  message: "a bootstrap token is not for serving certificates",
};

function nothing(nodes: readonly KnownNode[]) {
  const variables = inVariables(
    "nodes",
    "[]",
    sorted(nodes).map(({ name }) => `  "${user(name)}",`),
  );
  return {
    variables,
    validations: [
      notByToken,
      {
        expression: `!(${variables.map(({ name }) => `request.userInfo.username in variables.${name}`).join(" || ")})`,
        messageExpression:
          'request.userInfo.username + " gets its serving certificate from whoever declared it, and asks the cluster for none"',
      },
    ],
  };
}

/** What each node may ask for, by its user. */
const declared = (nodes: readonly KnownNode[]) =>
  inVariables(
    "nodes",
    "{}",
    sorted(nodes).map(({ name, address }) => `  "${user(name)}": "${servingNamesText(name, address)}",`),
  );

function declaredNames(nodes: readonly KnownNode[]) {
  const variables = declared(nodes);
  const own = variables.map(({ name }) => `variables.${name}[?request.userInfo.username].orValue("")`).join(" + ");
  const asUser = `"${NODE_USER_PREFIX}" + variables.node == request.userInfo.username`;
  return {
    variables: [...DECODE_SERVING_REQUEST, ...variables, { name: "own", expression: own }],
    validations: [
      notByToken,
      {
        expression: `variables.own == "" || (${asUser} && variables.asked == variables.own)`,
        // The API server evaluates this for allowed requests, too. Requests of other pools' nodes need no decoding.
        messageExpression:
          'variables.own == "" ? "" : request.userInfo.username + " may ask for a serving certificate as its kubelet does, for " + variables.own + " only" + ' +
          '(variables.node == "" ? ", and this request is another" : ", and asks for " + variables.asked)',
      },
    ],
  };
}

/** A group's nodes are known by their names only. A node may write any address into its Node, so that the Node proves nothing. */
function namesOfGroup({ namePrefix, addresses = [] }: ServingGroup) {
  const user = celText(`${NODE_USER_PREFIX}${namePrefix}`);
  const isInRange =
    addresses.length > 0
      ? addresses.map((range) => `cidr(${celText(range)}).containsIP(n.substring(3))`).join(" || ")
      : "true";
  const extent = addresses.length > 0 ? `addresses in ${addresses.join(", ")}` : "its addresses";
  return {
    matchConditions: [
      MATCH_CONDITIONS[0],
      { name: "node-of-group", expression: `request.userInfo.username.startsWith(${user})` },
    ],
    variables: [...DECODE_SERVING_REQUEST, { name: "names", expression: 'variables.asked.split(", ")' }],
    validations: [
      {
        expression: [
          `"${NODE_USER_PREFIX}" + variables.node == request.userInfo.username`,
          `variables.names[0] == "DNS:" + variables.node`,
          "size(variables.names) > 1",
          `variables.names.all(n, n == variables.names[0] || (n.startsWith("IP:") && (${isInRange})))`,
        ].join(" && "),
        messageExpression: `request.userInfo.username + " may ask for a serving certificate as its kubelet does, for its name and ${extent} only, and asks for " + variables.asked`,
      },
    ],
  };
}

const sorted = (nodes: readonly KnownNode[]) => [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
