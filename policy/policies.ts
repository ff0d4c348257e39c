import type { Policies, ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import { type Declared, each, type Problems } from "./resource";
import { anonymousAccess } from "./rules/anonymousAccess";
import { bootstrapTokenTtl, DURATION } from "./rules/bootstrapTokenTtl";
import { noAdminForNodes } from "./rules/noAdminForNodes";
import { noBareBootstrappers } from "./rules/noBareBootstrappers";
import { noSecretsInTheOpen } from "./rules/noSecretsInTheOpen";
import { sshHostKeyPinned } from "./rules/sshHostKeyPinned";

/** A policy over each resource by itself, before it is created or changed. */
const ofResource = (
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
const ofStack = (
  name: string,
  description: string,
  rule: (resource: Declared, resources: readonly Declared[]) => Problems,
): StackValidationPolicy => ({
  name,
  description,
  validateStack: ({ resources }, report) => {
    const found = each(resources, function* (resource) {
      for (const problem of rule(resource, resources)) yield [problem, resource.urn] as const;
    });
    for (const [problem, urn] of found) report(problem, urn);
  },
});

export const policies: Policies = [
  ofResource("ssh-host-key-pinned", "An SSH connection trusts one host key, not whoever answers.", sshHostKeyPinned),
  {
    name: "bootstrap-token-ttl",
    description: "A bootstrap token expires, and soon.",
    configSchema: {
      properties: {
        maximumTtl: {
          type: "string",
          pattern: DURATION,
          default: "72h",
          description: "Longest life of a bootstrap token, as 90m, 72h or 3d",
        },
      },
    },
    validateResource: (resource, report) => {
      const { maximumTtl } = resource.getConfig<{ maximumTtl: string }>();
      for (const problem of bootstrapTokenTtl(resource, maximumTtl, Date.now())) report(problem);
    },
  },
  ofResource("no-bare-bootstrappers", "Only tokens made for it let a machine become a node.", noBareBootstrappers),
  ofStack("no-admin-for-nodes", "Nodes and bootstrappers get named rights only.", noAdminForNodes),
  ofStack("anonymous-access", "Whoever has not logged in may get cluster-info, and nothing else.", anonymousAccess),
  ofResource("no-secrets-in-the-open", "Keys and tokens stand in no text that others see.", noSecretsInTheOpen),
];
