import { type Binding, isKind, isTokenSecret, secretValue, type Subject } from "../kubernetesObjects";
import { BOOTSTRAPPERS_GROUP, BOOTSTRAPPING_ROLES } from "../policyNames";
import { type Declared, each, type Problems } from "../resource";

/** A group that a bootstrap token may carry (k8s.io/cluster-bootstrap/token/api: BootstrapGroupPattern). */
const OWN_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Subjects that stand for anybody, or for every pod. */
const ANYBODY: readonly string[] = [
  "User system:anonymous",
  "Group system:unauthenticated",
  "Group system:authenticated",
  "Group system:serviceaccounts",
];

/** Only tokens made for it let a machine become a node: by a group of their own, never by one that any token has. */
export function* noBareBootstrappers(resource: Declared): Problems {
  if (isKind(resource, "RoleBinding", "ClusterRoleBinding")) yield* bindingProblems(resource.props);
  // A token that only signs cluster-info is nobody's login, and needs no group.
  if (isTokenSecret(resource) && secretValue(resource, "usage-bootstrap-authentication") === "true")
    yield* groupProblems(secretValue(resource, "auth-extra-groups"));
}

function bindingProblems({ roleRef, subjects }: Binding): Problems {
  return each(subjects, function* ({ kind, name }: Subject, i) {
    const subject = `${kind} ${name}`;
    if (subject === `Group ${BOOTSTRAPPERS_GROUP}`)
      yield `subjects[${i}]: is Group ${BOOTSTRAPPERS_GROUP}, to which every bootstrap token of the cluster belongs; name the group of the tokens meant, such as ${BOOTSTRAPPERS_GROUP}:worker`;
    if (ANYBODY.includes(subject) && BOOTSTRAPPING_ROLES.includes(roleRef?.name ?? ""))
      yield `subjects[${i}]: is ${subject}, and the role lets it become a node; name the group of the tokens meant, such as ${BOOTSTRAPPERS_GROUP}:worker`;
  });
}

function* groupProblems(groups: string | undefined): Problems {
  if (!groups)
    yield `auth-extra-groups: is missing, so the token has no group but ${BOOTSTRAPPERS_GROUP}, which every token has; give it one of its own, such as ${BOOTSTRAPPERS_GROUP}:worker`;
  else if (!groups.split(",").every((group) => OWN_GROUP.test(group)))
    yield `auth-extra-groups: must be ${BOOTSTRAPPERS_GROUP}:<name>, or several with ',' between; with any other the API server refuses the token`;
}
