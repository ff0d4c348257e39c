import { noBareBootstrappers } from "../../../../policy/rules/noBareBootstrappers";
import { UNKNOWN } from "../../../protocolValues";
import { clusterRole, findPlaces, group, RBAC, resourceOf, tokenSecret, user } from "./judging";

describe("no-bare-bootstrappers", () => {
  const bootstrapper = "system:node-bootstrapper";
  it.each<[string, string, unknown, string[]]>([
    ["a token's own group", bootstrapper, [group("system:bootstrappers:worker")], []],
    ["nodes", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", [group("system:nodes")], []],
    ["all users who have logged in, for another role", "system:discovery", [group("system:authenticated")], []],
    ["the bare group", bootstrapper, [group("system:bootstrappers")], ["subjects[0]"]],
    ["the bare group, for another role", "view", [group("system:bootstrappers")], ["subjects[0]"]],
    ["a user of that name", bootstrapper, [user("system:bootstrappers")], []],
    [
      "the bare group beside others",
      bootstrapper,
      [group("system:bootstrappers:a"), group("system:bootstrappers")],
      ["subjects[1]"],
    ],
    ["all users who have logged in", bootstrapper, [group("system:authenticated")], ["subjects[0]"]],
    [
      "users who have not logged in",
      "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
      [group("system:unauthenticated"), user("system:anonymous")],
      ["subjects[0]", "subjects[1]"],
    ],
    ["every pod", bootstrapper, [group("system:serviceaccounts")], ["subjects[0]"]],
    [
      "a bare group behind an unknown one",
      bootstrapper,
      [group(UNKNOWN), group("system:bootstrappers")],
      ["subjects[1]", "undecided"],
    ],
    ["unknown subjects", bootstrapper, UNKNOWN, ["undecided"]],
    ["nobody", bootstrapper, undefined, []],
  ])("judges a role for %s", (_, role, subjects, expected) => {
    for (const kind of ["ClusterRoleBinding", "RoleBinding", "ClusterRoleBindingPatch", "RoleBindingPatch"]) {
      const binding = resourceOf(`${RBAC}:${kind}`, { roleRef: clusterRole(role), subjects });
      expect(findPlaces(() => noBareBootstrappers(binding))).toEqual(expected);
    }
  });

  it.each<[string, object, string[]]>([
    ["a group of its own", {}, []],
    ["two groups", { "auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:b:c-1" }, []],
    ["no group, to sign only", { "auth-extra-groups": undefined, "usage-bootstrap-authentication": undefined }, []],
    ["no group", { "auth-extra-groups": undefined }, ["auth-extra-groups"]],
    ["an empty group", { "auth-extra-groups": "" }, ["auth-extra-groups"]],
    ["the bare group", { "auth-extra-groups": "system:bootstrappers" }, ["auth-extra-groups"]],
    [
      "the bare group too",
      { "auth-extra-groups": "system:bootstrappers:a,system:bootstrappers" },
      ["auth-extra-groups"],
    ],
    ["administrators", { "auth-extra-groups": "system:masters" }, ["auth-extra-groups"]],
    ["an unknown group", { "auth-extra-groups": UNKNOWN }, ["undecided"]],
  ])("judges a token with %s", (_, values, expected) =>
    expect(findPlaces(() => noBareBootstrappers(tokenSecret(values)))).toEqual(expected),
  );
});
