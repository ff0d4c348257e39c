import { noAdminForNodes } from "../../../../policy/rules/noAdminForNodes";
import { UNKNOWN } from "../../../protocolValues";
import { clusterRole, findPlaces, group, RBAC, resourceOf, user } from "./judging";

describe("no-admin-for-nodes", () => {
  const rule = { apiGroups: [""], resources: ["nodes"], verbs: ["get"] };
  const role = (kind: string, metadata: object, ...rules: unknown[]) =>
    resourceOf(`${RBAC}:${kind}`, { metadata, rules });
  const resources = [
    role("ClusterRole", { name: "named" }, rule),
    role("ClusterRole", { name: "every-verb" }, rule, { ...rule, verbs: ["get", "*"] }),
    role("ClusterRole", { name: "every-resource" }, { ...rule, resources: ["*"] }),
    role("ClusterRole", { name: "patched" }, rule),
    role("ClusterRolePatch", { name: "patched" }, { ...rule, verbs: ["*"] }),
    role("ClusterRole", { name: "unknown" }, { ...rule, verbs: UNKNOWN }),
    role("Role", { name: "local", namespace: "a" }, { ...rule, verbs: ["*"] }),
  ];
  const judge = (kind: string, props: object) => {
    const binding = resourceOf(`${RBAC}:${kind}`, props);
    return findPlaces(() => noAdminForNodes(binding, [...resources, binding]));
  };

  it.each<[string, string[]]>([
    ["cluster-admin", ["subjects[0]"]],
    ["every-verb", ["subjects[0]"]],
    ["every-resource", ["subjects[0]"]],
    ["patched", ["subjects[0]"]],
    ["named", []],
    ["unknown", ["undecided"]],
    ["system:node", []],
    ["in-another-stack", []],
  ])("judges nodes with the ClusterRole %s", (name, expected) => {
    for (const kind of ["ClusterRoleBinding", "RoleBinding"])
      expect(judge(kind, { roleRef: clusterRole(name), subjects: [group("system:nodes")] })).toEqual(expected);
  });

  it.each([
    ["system:nodes", group("system:nodes"), true],
    ["any bootstrapper", group("system:bootstrappers"), true],
    ["the bootstrappers of a pool", group("system:bootstrappers:worker"), true],
    ["one node", user("system:node:worker-1"), true],
    ["one token", user("system:bootstrap:abc123"), true],
    ["administrators", group("platform-admins"), false],
    ["a group like nodes", group("system:nodes-admins"), false],
    ["a user like nodes", user("system:nodes"), false],
    ["a controller", { kind: "ServiceAccount", name: "deployer", namespace: "ci" }, false],
  ])("judges cluster-admin for %s", (_, subject, bad) =>
    expect(judge("ClusterRoleBinding", { roleRef: clusterRole("cluster-admin"), subjects: [subject] })).toEqual(
      bad ? ["subjects[0]"] : [],
    ),
  );

  it("looks for a Role in the binding's own namespace", () => {
    const props = { roleRef: { kind: "Role", name: "local" }, subjects: [group("system:nodes")] };
    expect(judge("RoleBinding", { ...props, metadata: { namespace: "a" } })).toEqual(["subjects[0]"]);
    expect(judge("RoleBinding", { ...props, metadata: { namespace: "b" } })).toEqual([]);
  });

  it("says who gets which role, why that is wrong and what to do", () => {
    const props = { roleRef: clusterRole("every-verb"), subjects: [user("system:node:worker-1")] };
    expect([...noAdminForNodes(resourceOf(`${RBAC}:ClusterRoleBinding`, props), resources)]).toEqual([
      "subjects[0]: gives User system:node:worker-1 the ClusterRole every-verb, which has '*' in its rules, so a stolen machine may do the same; bind a role that names the verbs and resources that are needed",
    ]);
  });
});
