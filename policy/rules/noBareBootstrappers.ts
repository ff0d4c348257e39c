import { type Binding, isKind, isTokenSecret, secretValue, type Subject } from "../kubernetesObjects";
import { BOOTSTRAPPERS_GROUP, BOOTSTRAPPING_ROLES } from "../policyNames";
import { checkEach, type Declared, type Problems } from "../resource";

/** A group that a bootstrap token may carry (k8s.io/cluster-bootstrap/token/api: BootstrapGroupPattern). */
const OWN_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Everybody, or every pod. */
const ANYBODY: readonly string[] = [
  "User system:anonymous",
  "Group system:unauthenticated",
  "Group system:authenticated",
  "Group system:serviceaccounts",
];

/** Only bootstrap tokens of a named group let a machine become a node, not every bootstrap token of the cluster. */
export function* noBareBootstrappers(resource: Declared): Problems {
  if (isKind(resource, "RoleBinding", "ClusterRoleBinding")) yield* bindingProblems(resource.props);
  // A token that only signs cluster-info authenticates nobody and needs no group.
  if (isTokenSecret(resource) && secretValue(resource, "usage-bootstrap-authentication") === "true")
    yield* groupProblems(secretValue(resource, "auth-extra-groups"));
}

function bindingProblems({ roleRef, subjects }: Binding): Problems {
  return checkEach(subjects, function* ({ kind, name }: Subject, i) {
    const subject = `${kind} ${name}`;
    if (subject === `Group ${BOOTSTRAPPERS_GROUP}`)
      yield `subjects[${i}]: is Group ${BOOTSTRAPPERS_GROUP}, which every bootstrap token of the cluster is in; name the group of the tokens that need the role, such as ${BOOTSTRAPPERS_GROUP}:worker`;
    if (ANYBODY.includes(subject) && BOOTSTRAPPING_ROLES.includes(roleRef?.name ?? ""))
      yield `subjects[${i}]: lets ${subject} become a node; name the group of the tokens that need the role, such as ${BOOTSTRAPPERS_GROUP}:worker`;
  });
}

function* groupProblems(groups: string | undefined): Problems {
  if (!groups)
    yield `auth-extra-groups: is missing, so the token is only in ${BOOTSTRAPPERS_GROUP}, which every token is in; add a group such as ${BOOTSTRAPPERS_GROUP}:worker`;
  else if (!groups.split(",").every((group) => OWN_GROUP.test(group)))
    yield `auth-extra-groups: has a group with which the API server rejects the token; write ${BOOTSTRAPPERS_GROUP}:<name>, and separate several groups with commas`;
}
