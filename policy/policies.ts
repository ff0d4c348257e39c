import type { Policies, ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import { checkEach, type Declared, type Problems } from "./resource";
import { anonymousAccess } from "./rules/anonymousAccess";
import { bootstrapTokenTtl, DURATION } from "./rules/bootstrapTokenTtl";
import { noAdminForNodes } from "./rules/noAdminForNodes";
import { noBareBootstrappers } from "./rules/noBareBootstrappers";
import { noSecretsInTheOpen } from "./rules/noSecretsInTheOpen";
import { sshHostKeyPinned } from "./rules/sshHostKeyPinned";

/** A policy that judges each resource by itself. */
const resourcePolicy = (
  name: string,
  description: string,
  rule: (resource: Declared) => Problems,
): ResourceValidationPolicy => ({
  name,
  description,
  validateResource: (resource, report) => {
    for (const problem of rule(resource)) report(problem);
  },
});

/** A policy that needs other resources of the stack to judge one. */
const stackPolicy = (
  name: string,
  description: string,
  rule: (resource: Declared, resources: readonly Declared[]) => Problems,
): StackValidationPolicy => ({
  name,
  description,
  validateStack: ({ resources }, report) => {
    const found = checkEach(resources, function* (resource) {
      for (const problem of rule(resource, resources)) yield [problem, resource.urn] as const;
    });
    for (const [problem, urn] of found) report(problem, urn);
  },
});

export const policies: Policies = [
  resourcePolicy("ssh-host-key-pinned", "An SSH connection accepts one host key only.", sshHostKeyPinned),
  {
    name: "bootstrap-token-ttl",
    description: "A bootstrap token expires soon.",
    configSchema: {
      properties: {
        maximumTtl: {
          type: "string",
          pattern: DURATION,
          default: "72h",
          description: "Longest allowed life of a bootstrap token, such as 90m, 72h or 3d",
        },
      },
    },
    validateResource: (resource, report) => {
      const { maximumTtl } = resource.getConfig<{ maximumTtl: string }>();
      for (const problem of bootstrapTokenTtl(resource, maximumTtl, Date.now())) report(problem);
    },
  },
  resourcePolicy(
    "no-bare-bootstrappers",
    "Only bootstrap tokens of a named group let a machine become a node.",
    noBareBootstrappers,
  ),
  stackPolicy("no-admin-for-nodes", "Nodes and bootstrap tokens get no admin rights.", noAdminForNodes),
  stackPolicy("anonymous-access", "Anonymous users may read cluster-info and nothing else.", anonymousAccess),
  resourcePolicy("no-secrets-in-the-open", "Keys and tokens are in no text that others can read.", noSecretsInTheOpen),
];
