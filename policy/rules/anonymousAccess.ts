import { type Binding, isKind, type RoleProps, rolesOf, type Subject } from "../kubernetesObjects";
import { CLUSTER_INFO } from "../policyNames";
import { checkEach, type Declared, type Problems } from "../resource";

const ANONYMOUS: readonly string[] = ["User system:anonymous", "Group system:unauthenticated"];

/** Anonymous users may read cluster-info and nothing else. */
export function anonymousAccess(resource: Declared, resources: readonly Declared[]): Problems {
  if (!isKind(resource, "RoleBinding", "ClusterRoleBinding")) return [];
  const binding: Binding = resource.props;
  return checkEach(binding.subjects, function* ({ kind, name }: Subject, i) {
    if (!ANONYMOUS.includes(`${kind} ${name}`)) return;
    const excess = isKind(resource, "ClusterRoleBinding") ? "in every namespace" : excessOf(binding, resources);
    if (excess)
      yield `subjects[${i}]: gives ${kind} ${name} access ${excess}; use a RoleBinding in ${CLUSTER_INFO.namespace} to a Role of this stack whose only rule is get configmaps ${CLUSTER_INFO.name}`;
  });
}

/** What a RoleBinding gives besides `get` of cluster-info; undefined when there is nothing. */
function excessOf(binding: Binding, resources: readonly Declared[]): string | undefined {
  if (binding.metadata?.namespace !== CLUSTER_INFO.namespace) return `outside ${CLUSTER_INFO.namespace}`;
  if (binding.roleRef?.kind !== "Role") return "through a ClusterRole, which may be extended for other users";
  const roles = rolesOf(binding, resources);
  if (roles.length === 0) return "through a Role that is not in this stack, so its rules are not known";
  return roles.every(grantsClusterInfoOnly)
    ? undefined
    : `through a Role that does more or less than get ${CLUSTER_INFO.name}`;
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
