import * as pulumi from "@pulumi/pulumi";
import { KUBELET_SERVING_SIGNER, NODE_USER_PREFIX, TOKEN_USER_PREFIX } from "../cluster/names";
import { refuse } from "../validation/refuse";
import { servingNamesOf } from "./servingCertificates";
import { at, denyBy, inVariables, oneBlock, onRequests, REQUEST, sizeProblemOf } from "../admission/admission";
import { COMPARE_FROM, REQUEST_BEGIN } from "../admission/csrPattern";
import { servingPatterns, servingSizes } from "./servingPattern";

/** A node as it is declared. */
export interface ServingNode {
  readonly name: string;
  /** The address that it registers. */
  readonly address: string;
}

export interface ServingPolicyArgs {
  /** Nodes by pool, whose names are for the names of objects. */
  readonly pools: readonly { readonly name: string; readonly nodes: readonly ServingNode[] }[];
  /** What a declared node may ask the cluster for: a serving certificate for its declared name and address, or none, when it gets its certificate another way. */
  readonly allow: "declared" | "none";
}

/**
 * What serving certificates the declared nodes may ask for, by a ValidatingAdmissionPolicy for each pool. Without it, whoever controls a node can ask for the
 * address of another or the name of a service, and whoever approves has to notice; with it such a request does not come into being, so that even an
 * approver who approves everything is safe. Nodes that are not declared are left alone.
 *
 * What is allowed stands in the policy, not on the Nodes: a Node that is deleted comes back without what was declared on it.
 */
export class ServingPolicy extends pulumi.ComponentResource {
  /** What must be there before a kubelet asks. */
  readonly parts: pulumi.Resource[];

  constructor(name: string, args: ServingPolicyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ServingPolicy", name, {}, opts);
    const rules = args.pools.map(({ nodes }) => (args.allow === "none" ? nothing : declaredNames)(nodes));
    refuse(
      `ServingPolicy '${name}'`,
      args.pools.map(({ nodes }, i) => [`pools[${i}].nodes`, sizeProblemOf(rules[i].variables, nodes.length, POLICY)]),
    );
    this.parts = args.pools.map((pool, i) =>
      denyBy(
        `${name}-${pool.name}-serving`,
        {
          ...onRequests,
          matchConditions: [
            { name: "serving", expression: `object.spec.signerName == "${KUBELET_SERVING_SIGNER}"` },
            {
              name: "node-or-bootstrap-token",
              expression: [NODE_USER_PREFIX, TOKEN_USER_PREFIX]
                .map((prefix) => `request.userInfo.username.startsWith("${prefix}")`)
                .join(" || "),
            },
          ],
          ...rules[i],
        },
        this,
      ),
    );
    this.registerOutputs({});
  }
}

const POLICY = "policy for serving certificates";

/** What is wrong with so many nodes that the policy for them could not be stored. */
export const servingSizeProblem = (nodes: readonly ServingNode[]): string | undefined =>
  sizeProblemOf(allowed(nodes), nodes.length, POLICY);

const user = (node: string) => `${NODE_USER_PREFIX}${node}`;

const notByToken = {
  expression: `!request.userInfo.username.startsWith("${TOKEN_USER_PREFIX}")`,
  message: "a bootstrap token is not for serving certificates",
};

function nothing(nodes: readonly ServingNode[]) {
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

/** What requests of each node look like, by its user. */
const allowed = (nodes: readonly ServingNode[]) =>
  inVariables(
    "nodes",
    "{}",
    sorted(nodes).map(({ name, address }) => {
      const patterns = servingPatterns(name, servingNamesOf(name, address));
      const texts = patterns.map(({ head, tailFrom, tail }) => `"${head} ${tailFrom} ${tail}"`);
      return `  "${user(name)}": [${texts.join(", ")}], // ${address}`;
    }),
  );

function declaredNames(nodes: readonly ServingNode[]) {
  const variables = allowed(nodes);
  const own = variables.map(({ name }) => `variables.${name}[?request.userInfo.username].orValue([])`).join(" + ");
  return {
    variables: [
      REQUEST,
      { name: "sizes", expression: JSON.stringify(servingSizes()) },
      ...variables,
      { name: "own", expression: own },
    ],
    validations: [
      notByToken,
      {
        expression: `size(variables.own) == 0 || (${oneBlock} && ${wholeSize} && variables.own.map(text, text.split(" ")).exists(part, ${fits}))`,
        messageExpression:
          'request.userInfo.username + " may ask for a serving certificate with its declared name and address only, as its kubelet does"',
      },
    ],
  };
}

const wholeSize = `size(variables.request) > ${COMPARE_FROM} && variables.sizes[?variables.request.substring(${REQUEST_BEGIN.length}, ${COMPARE_FROM})].orValue(0) == size(variables.request)`;

const fits =
  "size(variables.request) > int(part[1]) + size(part[2]) && " +
  `${at(COMPARE_FROM, "size(part[0])")} == part[0] && ${at("int(part[1])", "size(part[2])")} == part[2]`;

const sorted = (nodes: readonly ServingNode[]) => [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
