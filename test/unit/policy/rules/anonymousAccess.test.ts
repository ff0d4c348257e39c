import { anonymousAccess } from "../../../../policy/rules/anonymousAccess";
import { UNKNOWN } from "../../../protocolValues";
import { clusterRole, findPlaces, group, RBAC, resourceOf, user } from "./judging";

describe("anonymous-access", () => {
  const good = { apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["get"] };
  const binding = {
    metadata: { namespace: "kube-public" },
    roleRef: { kind: "Role", name: "read" },
    subjects: [user("system:anonymous")],
  };
  const judge = (kind: string, props: object, rules: unknown = [good], namespace = "kube-public") => {
    const bound = resourceOf(`${RBAC}:${kind}`, props);
    const role = resourceOf(`${RBAC}:Role`, { metadata: { namespace, name: "read" }, rules });
    return findPlaces(() => anonymousAccess(bound, [bound, role]));
  };

  it.each<[string, object, string[]]>([
    ["cluster-info for anonymous", {}, []],
    ["cluster-info for unauthenticated", { subjects: [group("system:unauthenticated")] }, []],
    ["anything for others", { subjects: [group("system:authenticated")], roleRef: clusterRole("view") }, []],
    ["another namespace", { metadata: { namespace: "default" } }, ["subjects[0]"]],
    ["no namespace", { metadata: {} }, ["subjects[0]"]],
    ["a ClusterRole", { roleRef: clusterRole("read") }, ["subjects[0]"]],
    ["a Role of another stack", { roleRef: { kind: "Role", name: "other" } }, ["subjects[0]"]],
    ["a patch without a role", { roleRef: undefined }, ["subjects[0]"]],
    ["a Role whose name is unknown", { roleRef: { kind: "Role", name: UNKNOWN } }, ["undecided"]],
    [
      "both among others",
      {
        metadata: { namespace: "default" },
        subjects: [group("a"), user("system:anonymous"), group("system:unauthenticated")],
      },
      ["subjects[1]", "subjects[2]"],
    ],
  ])("judges a RoleBinding with %s", (_, change, expected) =>
    expect(judge("RoleBinding", { ...binding, ...change })).toEqual(expected),
  );

  it.each<[string, unknown, string[]]>([
    ["to get cluster-info", [good], []],
    ["unknown rights", UNKNOWN, ["undecided"]],
    ["also to list", [{ ...good, verbs: ["get", "list"] }], ["subjects[0]"]],
    ["all verbs", [{ ...good, verbs: ["*"] }], ["subjects[0]"]],
    ["every ConfigMap", [{ ...good, resourceNames: undefined }], ["subjects[0]"]],
    ["another ConfigMap", [{ ...good, resourceNames: ["cluster-info", "b"] }], ["subjects[0]"]],
    ["Secrets too", [{ ...good, resources: ["configmaps", "secrets"] }], ["subjects[0]"]],
    ["another API group", [{ ...good, apiGroups: ["*"] }], ["subjects[0]"]],
    ["a second rule", [good, { ...good, resources: ["secrets"] }], ["subjects[0]"]],
    ["nothing", [], ["subjects[0]"]],
  ])("judges a Role that allows %s", (_, rules, expected) =>
    expect(judge("RoleBinding", binding, rules)).toEqual(expected),
  );

  it("ignores a Role of another namespace", () =>
    expect(judge("RoleBinding", binding, [good], "default")).toEqual(["subjects[0]"]));

  it("allows no ClusterRoleBinding", () => expect(judge("ClusterRoleBinding", binding)).toEqual(["subjects[0]"]));

  it("checks every patch of the Role", () => {
    const role = (kind: string, verbs: string[]) =>
      resourceOf(`${RBAC}:${kind}`, {
        metadata: { namespace: "kube-public", name: "read" },
        rules: [{ ...good, verbs }],
      });
    const resources = [role("Role", ["get"]), role("RolePatch", ["get", "watch"])];
    expect(findPlaces(() => anonymousAccess(resourceOf(`${RBAC}:RoleBinding`, binding), resources))).toEqual([
      "subjects[0]",
    ]);
  });
});
