import { type Binding, isKind, type RoleProps, rolesOf, type Subject } from "../kubernetesObjects";
import { CLUSTER_INFO } from "../policyNames";
import { type Declared, each, type Problems } from "../resource";

const ANONYMOUS: readonly string[] = ["User system:anonymous", "Group system:unauthenticated"];

/** Whoever has not logged in may get cluster-info, and nothing else. */
export function anonymousAccess(resource: Declared, resources: readonly Declared[]): Problems {
  if (!isKind(resource, "RoleBinding", "ClusterRoleBinding")) return [];
  const binding: Binding = resource.props;
  return each(binding.subjects, function* ({ kind, name }: Subject, i) {
    if (!ANONYMOUS.includes(`${kind} ${name}`)) return;
    const excess = isKind(resource, "ClusterRoleBinding")
      ? "in every namespace, by a ClusterRoleBinding"
      : excessOf(binding, resources);
    if (excess)
      yield `subjects[${i}]: lets in ${kind} ${name} ${excess}; allowed is a RoleBinding in ${CLUSTER_INFO.namespace} to a Role of this stack with one rule: get configmaps ${CLUSTER_INFO.name}`;
  });
}

/** What is more in a RoleBinding than `get` of cluster-info, if anything. */
function excessOf(binding: Binding, resources: readonly Declared[]): string | undefined {
  if (binding.metadata?.namespace !== CLUSTER_INFO.namespace) return `outside ${CLUSTER_INFO.namespace}`;
  if (binding.roleRef?.kind !== "Role") return "by a ClusterRole, which can change for other reasons";
  const roles = rolesOf(binding, resources);
  if (roles.length === 0) return "by a Role that is not in this stack, so that nobody sees what it allows";
  return roles.every(grantsClusterInfoOnly)
    ? undefined
    : `by a Role that allows other than to get ${CLUSTER_INFO.name}`;
}

function grantsClusterInfoOnly({ rules = [] }: RoleProps): boolean {
  const isOnly = (list: readonly string[] = [], value: string) => list.length === 1 && list[0] === value;
  return (
    rules.length === 1 &&
    isOnly(rules[0].apiGroups, "") &&
    isOnly(rules[0].resources, "configmaps") &&
    isOnly(rules[0].resourceNames, CLUSTER_INFO.name) &&
    isOnly(rules[0].verbs, "get")
  );
}
