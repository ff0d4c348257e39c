import { type Binding, isKind, rolesOf, type Subject } from "../kubernetesObjects";
import { BOOTSTRAPPERS_GROUP, NODES_GROUP } from "../policyNames";
import { checkEach, type Declared, type Problems } from "../resource";

/** Users and groups of nodes, and of machines that have yet to become nodes. */
const NODE_SUBJECT = new RegExp(
  `^(Group ${NODES_GROUP}|Group ${BOOTSTRAPPERS_GROUP}(:.*)?|User system:node:.*|User system:bootstrap:.*)$`,
);

/** Nodes and bootstrap tokens get no admin rights: a stolen machine must not control the cluster. */
export function noAdminForNodes(resource: Declared, resources: readonly Declared[]): Problems {
  if (!isKind(resource, "RoleBinding", "ClusterRoleBinding")) return [];
  const binding: Binding = resource.props;
  return checkEach(binding.subjects, function* ({ kind, name }: Subject, i) {
    const subject = `${kind} ${name}`;
    if (!NODE_SUBJECT.test(subject)) return;
    const role = `${binding.roleRef?.kind} ${binding.roleRef?.name}`;
    const excess =
      role === "ClusterRole cluster-admin"
        ? "allows everything"
        : hasWildcard(binding, resources)
          ? "has '*' in its rules"
          : undefined;
    if (excess)
      yield `subjects[${i}]: gives ${subject} the ${role}, which ${excess}, so a stolen machine may do the same; bind a role that names the verbs and resources that are needed`;
  });
}

const hasWildcard = (binding: Binding, resources: readonly Declared[]): boolean =>
  rolesOf(binding, resources).some((role) =>
    role.rules?.some(({ verbs, resources }) => [...(verbs ?? []), ...(resources ?? [])].includes("*")),
  );
