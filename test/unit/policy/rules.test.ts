import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { unknownCheckingProxy } from "@pulumi/policy";
import * as theirs from "../../../components/cluster/names";
import { renderKubeconfig } from "../../../components/cluster/kubeconfig";
import * as ours from "../../../policy/policyNames";
import type { Declared } from "../../../policy/resource";
import { anonymousAccess } from "../../../policy/rules/anonymousAccess";
import { bootstrapTokenTtl } from "../../../policy/rules/bootstrapTokenTtl";
import { noAdminForNodes } from "../../../policy/rules/noAdminForNodes";
import { noBareBootstrappers } from "../../../policy/rules/noBareBootstrappers";
import { noSecretsInTheOpen } from "../../../policy/rules/noSecretsInTheOpen";
import { sshHostKeyPinned } from "../../../policy/rules/sshHostKeyPinned";
import { CA, ED25519 } from "../fixtures";
import { UNKNOWN } from "./values";

const RBAC = "kubernetes:rbac.authorization.k8s.io/v1";

/** A resource as the SDK hands it to a policy. */
const declared = (type: string, props: object): Declared => ({ type, props: unknownCheckingProxy(props) });

/** `where` of each problem that a rule finds, and `undecided` where it came upon an unknown value. */
function places(problems: () => Iterable<string>): string[] {
  const found: string[] = [];
  try {
    for (const problem of problems()) found.push(problem.split(": ")[0]);
  } catch (error) {
    if (!(error as Error).message.endsWith("can't be known during preview")) throw error;
    found.push("undecided");
  }
  return found;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

it("names things as the module does", () => {
  expect(ours.TOKEN_SECRET_TYPE).toBe(theirs.TOKEN_SECRET_TYPE);
  expect(ours.BOOTSTRAPPERS_GROUP).toBe(theirs.BOOTSTRAPPERS_GROUP);
  expect(ours.NODES_GROUP).toBe(theirs.NODES_GROUP);
  expect(ours.BOOTSTRAPPING_ROLES).toEqual(Object.values(theirs.CLUSTER_ROLES));
  expect(theirs.CLUSTER_INFO).toMatchObject(ours.CLUSTER_INFO);
});

describe("ssh-host-key-pinned", () => {
  const pinned = { host: "10.0.1.11", hostKey: ED25519 };
  const open = { host: "10.0.1.11" };
  it.each<[string, unknown, string[]]>([
    ["a pinned host", pinned, []],
    ["a pinned host behind a pinned bastion", { ...pinned, proxy: pinned }, []],
    ["a host key that is known after the update", { ...pinned, hostKey: UNKNOWN, proxy: { hostKey: UNKNOWN } }, []],
    ["no host key", open, ["connection.hostKey"]],
    ["an empty host key", { ...open, hostKey: "" }, ["connection.hostKey"]],
    ["no key of the bastion", { ...pinned, proxy: open }, ["connection.proxy.hostKey"]],
    ["no key of either", { ...open, proxy: open }, ["connection.hostKey", "connection.proxy.hostKey"]],
    ["an unknown bastion", { ...open, proxy: UNKNOWN }, ["connection.hostKey", "undecided"]],
    ["an unknown connection", UNKNOWN, ["undecided"]],
    ["no connection", undefined, ["connection.hostKey"]],
  ])("judges %s", (_, connection, expected) => {
    for (const type of ["Command", "CopyToRemote", "CopyFile"])
      expect(places(() => sshHostKeyPinned(declared(`command:remote:${type}`, { connection })))).toEqual(expected);
    expect(places(() => sshHostKeyPinned(declared("command:local:Command", { connection })))).toEqual([]);
  });
});

/** A bootstrap token's Secret, with these values over those of a good one. */
const tokenSecret = (values: object, type = "kubernetes:core/v1:Secret") =>
  declared(type, {
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      expiration: "2026-01-02T04:00:00Z",
      "usage-bootstrap-authentication": "true",
      "auth-extra-groups": "system:bootstrappers:worker",
      ...values,
    },
  });

describe("bootstrap-token-ttl", () => {
  const problemsOf = (resource: Declared, maximum = "72h", now = "2026-01-02T03:00:00Z") =>
    bootstrapTokenTtl(resource, maximum, Date.parse(now));

  it.each<[string, unknown, string[]]>([
    ["an hour ahead", "2026-01-02T04:00:00Z", []],
    ["exactly the longest life ahead", "2026-01-05T03:00:00Z", []],
    ["with a time zone and a fraction", "2026-01-05T05:00:00.000+02:00", []],
    ["long past", "2025-01-01T00:00:00Z", []],
    ["known after the update", UNKNOWN, ["undecided"]],
    ["a second too far ahead", "2026-01-05T03:00:01Z", ["expiration"]],
    ["a second too far ahead in another time zone", "2026-01-05T02:00:01-01:00", ["expiration"]],
    ["missing", undefined, ["expiration"]],
    ["empty", "", ["expiration"]],
    ["no time", "never", ["expiration"]],
    ["a date", "2026-01-03", ["expiration"]],
    ["without a time zone", "2026-01-02T04:00:00", ["expiration"]],
    ["in small letters", "2026-01-02t04:00:00z", ["expiration"]],
    ["no day of any month", "2026-01-32T04:00:00Z", ["expiration"]],
  ])("judges an expiration %s", (_, expiration, expected) =>
    expect(places(() => problemsOf(tokenSecret({ expiration })))).toEqual(expected),
  );

  it.each<[string, object, string[]]>([
    ["in data", { data: { expiration: base64("2026-01-02T04:00:00Z") } }, []],
    ["in data, too far ahead", { data: { expiration: base64("2027-01-02T04:00:00Z") } }, ["expiration"]],
    [
      "in stringData, which goes over data",
      { data: { expiration: base64("2026-01-02T04:00:00Z") }, stringData: { expiration: "2027-01-02T04:00:00Z" } },
      ["expiration"],
    ],
    ["nowhere", {}, ["expiration"]],
  ])("finds an expiration %s", (_, props, expected) => {
    const secret = declared("kubernetes:core/v1:Secret", { type: "bootstrap.kubernetes.io/token", ...props });
    expect(places(() => problemsOf(secret))).toEqual(expected);
  });

  it("knows a token's Secret by its type, however it is declared", () => {
    const never = { expiration: undefined };
    expect(places(() => problemsOf(tokenSecret(never, "kubernetes:core/v1:SecretPatch")))).toEqual(["expiration"]);
    expect(places(() => problemsOf(tokenSecret(never, "kubernetes:v1:Secret")))).toEqual(["expiration"]);
    expect(places(() => problemsOf(tokenSecret(never, "kubernetes:example.com/v1:Secret")))).toEqual([]);
    expect(places(() => problemsOf(declared("kubernetes:core/v1:Secret", { type: "Opaque" })))).toEqual([]);
  });

  it("lets a revoked token be, which says of both usages that it has none", () => {
    const revoked = {
      expiration: "9999-12-31T23:59:59Z",
      "usage-bootstrap-authentication": "false",
      "usage-bootstrap-signing": "false",
    };
    for (const type of ["kubernetes:core/v1:Secret", "kubernetes:core/v1:SecretPatch"]) {
      expect(places(() => problemsOf(tokenSecret(revoked, type)))).toEqual([]);
      for (const value of ["true", undefined])
        for (const usage of ["authentication", "signing"])
          expect(places(() => problemsOf(tokenSecret({ ...revoked, [`usage-bootstrap-${usage}`]: value }, type)))).toEqual(
            ["expiration"],
          );
    }
  });

  it.each([
    ["45m", "2026-01-02T03:45:00Z", "2026-01-02T03:45:01Z"],
    ["2h", "2026-01-02T05:00:00Z", "2026-01-02T05:00:01Z"],
    ["3d", "2026-01-05T03:00:00Z", "2026-01-05T03:00:01Z"],
  ])("reads the limit %s", (maximum, within, over) => {
    expect([...problemsOf(tokenSecret({ expiration: within }), maximum)]).toEqual([]);
    expect(places(() => problemsOf(tokenSecret({ expiration: over }), maximum))).toEqual(["expiration"]);
  });

  it("says how far ahead, how far is allowed, and what to do", () =>
    expect([...problemsOf(tokenSecret({ expiration: "2026-02-01T03:30:00Z" }))]).toEqual([
      "expiration: is 720h ahead, and at most 72h is allowed; set an earlier time",
    ]));

  it("reads the ttl of a token to be minted off its clock, and of no other certificate", () => {
    const certificate = (commonName: string) =>
      declared("tls:index/selfSignedCert:SelfSignedCert", { subject: { commonName }, privateKeyPem: UNKNOWN });
    expect(places(() => problemsOf(certificate("bootstrap token clock, ttl 4d")))).toEqual(["subject.commonName"]);
    expect(places(() => problemsOf(certificate("bootstrap token clock, ttl 3d")))).toEqual([]);
    expect(places(() => problemsOf(certificate("example.com")))).toEqual([]);
    expect(places(() => problemsOf(certificate(UNKNOWN)))).toEqual([]);
  });
});

const group = (name: string) => ({ kind: "Group", name });
const user = (name: string) => ({ kind: "User", name });
const clusterRole = (name: string) => ({ kind: "ClusterRole", name });

describe("no-bare-bootstrappers", () => {
  const bootstrapper = "system:node-bootstrapper";
  it.each<[string, string, unknown, string[]]>([
    ["a token's own group", bootstrapper, [group("system:bootstrappers:worker")], []],
    ["nodes", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", [group("system:nodes")], []],
    ["anybody who has logged in, for something else", "system:discovery", [group("system:authenticated")], []],
    ["the bare group", bootstrapper, [group("system:bootstrappers")], ["subjects[0]"]],
    ["the bare group, for something else", "view", [group("system:bootstrappers")], ["subjects[0]"]],
    ["a user of that name", bootstrapper, [user("system:bootstrappers")], []],
    [
      "the bare group beside others",
      bootstrapper,
      [group("system:bootstrappers:a"), group("system:bootstrappers")],
      ["subjects[1]"],
    ],
    ["whoever has logged in", bootstrapper, [group("system:authenticated")], ["subjects[0]"]],
    [
      "whoever has not",
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
      const binding = declared(`${RBAC}:${kind}`, { roleRef: clusterRole(role), subjects });
      expect(places(() => noBareBootstrappers(binding))).toEqual(expected);
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
    expect(places(() => noBareBootstrappers(tokenSecret(values)))).toEqual(expected),
  );
});

describe("no-admin-for-nodes", () => {
  const rule = { apiGroups: [""], resources: ["nodes"], verbs: ["get"] };
  const role = (kind: string, metadata: object, ...rules: unknown[]) =>
    declared(`${RBAC}:${kind}`, { metadata, rules });
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
    const binding = declared(`${RBAC}:${kind}`, props);
    return places(() => noAdminForNodes(binding, [...resources, binding]));
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

  it("says who gets what, and why not", () => {
    const props = { roleRef: clusterRole("every-verb"), subjects: [user("system:node:worker-1")] };
    expect([...noAdminForNodes(declared(`${RBAC}:ClusterRoleBinding`, props), resources)]).toEqual([
      "subjects[0]: gives User system:node:worker-1 the ClusterRole every-verb, which has '*' in its rules, so a stolen machine may do the same; bind a role that names the verbs and resources that are needed",
    ]);
  });
});

describe("anonymous-access", () => {
  const good = { apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["get"] };
  const binding = {
    metadata: { namespace: "kube-public" },
    roleRef: { kind: "Role", name: "read" },
    subjects: [user("system:anonymous")],
  };
  const judge = (kind: string, props: object, rules: unknown = [good], namespace = "kube-public") => {
    const bound = declared(`${RBAC}:${kind}`, props);
    const role = declared(`${RBAC}:Role`, { metadata: { namespace, name: "read" }, rules });
    return places(() => anonymousAccess(bound, [bound, role]));
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

  it("takes no Role of another namespace", () =>
    expect(judge("RoleBinding", binding, [good], "default")).toEqual(["subjects[0]"]));

  it("allows no ClusterRoleBinding", () => expect(judge("ClusterRoleBinding", binding)).toEqual(["subjects[0]"]));

  it("wants every patch of the Role to be as narrow", () => {
    const role = (kind: string, verbs: string[]) =>
      declared(`${RBAC}:${kind}`, {
        metadata: { namespace: "kube-public", name: "read" },
        rules: [{ ...good, verbs }],
      });
    const resources = [role("Role", ["get"]), role("RolePatch", ["get", "watch"])];
    expect(places(() => anonymousAccess(declared(`${RBAC}:RoleBinding`, binding), resources))).toEqual(["subjects[0]"]);
  });
});

describe("no-secrets-in-the-open", () => {
  const token = "abc123.0123456789abcdef";
  const privateKey = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI\n-----END EC PRIVATE KEY-----";
  const cluster = { server: "https://10.0.0.1:6443", ca: CA };
  const withToken = renderKubeconfig(cluster, "admin", { token: "a-bearer-token-of-the-cluster" });
  const withKey = renderKubeconfig(cluster, "admin", { clientCertificate: CA, clientKey: privateKey });

  it.each<[string, string, string[]]>([
    ["a private key", `cat > key <<E\n${privateKey}\nE`, ["a private key"]],
    ["an OpenSSH key", "echo '-----BEGIN OPENSSH PRIVATE KEY-----'", ["a private key"]],
    ["a bootstrap token", `kubeadm join --token ${token} 10.0.0.1:6443`, ["a bootstrap token"]],
    ["a bootstrap token at the end of a sentence", `The token is "${token}".`, ["a bootstrap token"]],
    ["a kubeconfig with a token", withToken, ["a kubeconfig's token"]],
    [
      "a kubeconfig with a token, as JSON",
      '{"users":[{"user":{"token":"0123456789-abcdef"}}],"kind":"Config"}',
      ["a kubeconfig's token"],
    ],
    ["a kubeconfig with a client key", withKey, ["a kubeconfig's client key"]],
    [
      "a kubeconfig with a client key, escaped",
      '{\\"client-key-data\\": \\"LS0tLS1CRUdJTiBF\\"}',
      ["a kubeconfig's client key"],
    ],
    ["two secrets", `${token} ${privateKey}`, ["a private key", "a bootstrap token"]],
    ["a public key", ED25519, []],
    ["a certificate", CA, []],
    ["a kubeconfig without credentials", renderKubeconfig(cluster), []],
    ["a kubeconfig whose token is a variable", withToken.replace("a-bearer-token-of-the-cluster", "$TOKEN"), []],
    [
      "a kubeconfig with an empty token",
      withToken.replace("a-bearer-token-of-the-cluster", '""\n    x-of-16-letters: a'),
      [],
    ],
    ["a token that is none of a kubeconfig's", "token: 0123456789-abcdef", []],
    ["a token's id", "kubectl -n kube-system get secret bootstrap-token-abc123", []],
    ["a name with a dot", "config.defaultnamespace", []],
    ["a name with two dots and a digit", "config.defaultnamespace.v1", []],
    ["a number with two dots and a letter", "123456.0123456789012345.a", []],
    ["a number", "123456.0123456789012345", []],
    ["a longer hash", `${token}0`, []],
    ["a longer name", `x${token}`, []],
    ["nothing", "", []],
  ])("judges %s", (_, text, expected) => {
    const found = (type: string, props: object) =>
      [...noSecretsInTheOpen(declared(type, props))].map((problem) =>
        problem.replace(/^(\S+): contains (.*?), .*$/, "$1: $2"),
      );
    const at = (where: string) => expected.map((what) => `${where}: ${what}`);
    for (const step of ["create", "update", "delete"]) {
      expect(found("command:remote:Command", { [step]: text })).toEqual(at(step));
      expect(found("command:local:Command", { [step]: text })).toEqual(at(step));
    }
    expect(found("command:remote:Command", { environment: { A: "1", B: text } })).toEqual(at("environment.B"));
    expect(found("kubernetes:core/v1:ConfigMap", { data: { "a.conf": text } })).toEqual(at("data.a.conf"));
    expect(found("kubernetes:core/v1:ConfigMap", { binaryData: { b: base64(text) } })).toEqual(at("binaryData.b"));

    // Where a secret may be, if it is marked; and policies do not see marks.
    expect(found("command:remote:Command", { stdin: text, connection: { privateKey: text } })).toEqual([]);
    expect(found("command:local:Command", { stdin: text, environment: { A: text } })).toEqual([]);
    expect(found("kubernetes:core/v1:Secret", { stringData: { a: text } })).toEqual([]);
  });

  it.each<[string, object, string[]]>([
    [
      "command:remote:Command",
      { create: UNKNOWN, update: token, environment: { A: UNKNOWN, B: token } },
      ["update", "environment.B", "undecided"],
    ],
    ["command:remote:Command", { create: token, environment: UNKNOWN }, ["create", "undecided"]],
    [
      "kubernetes:core/v1:ConfigMap",
      { data: { a: UNKNOWN, b: token }, binaryData: { c: base64(token) } },
      ["data.b", "binaryData.c", "undecided"],
    ],
  ])("looks on in a %s behind what is unknown", (type, props, expected) =>
    expect(places(() => noSecretsInTheOpen(declared(type, props)))).toEqual(expected),
  );

  const texts = (length: number) =>
    fc.string({
      unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"),
      minLength: length,
      maxLength: length,
    });
  it("finds any token with a letter and a digit, and never shows it", () =>
    fc.assert(
      fc.property(texts(6), texts(16), (id, secret) => {
        fc.pre(/[a-z]/.test(id + secret) && /\d/.test(id + secret));
        const problems = [...noSecretsInTheOpen(declared("command:local:Command", { create: `join ${id}.${secret}` }))];
        expect(problems).toHaveLength(1);
        expect(problems[0]).not.toContain(secret);
      }),
    ));
});

describe("README", () => {
  const readme = readFileSync(join(__dirname, "../../../policy/README.md"), "utf8");
  const binding = (props: object) => declared(`${RBAC}:ClusterRoleBinding`, props);
  it.each<[string, Iterable<string>]>([
    ["ssh-host-key-pinned", sshHostKeyPinned(declared("command:remote:Command", { connection: {} }))],
    [
      "bootstrap-token-ttl",
      bootstrapTokenTtl(tokenSecret({ expiration: "2026-02-01T03:00:00Z" }), "72h", Date.parse("2026-01-02T03:00:00Z")),
    ],
    ["no-bare-bootstrappers", noBareBootstrappers(binding({ subjects: [group("system:bootstrappers")] }))],
    [
      "no-admin-for-nodes",
      noAdminForNodes(binding({ roleRef: clusterRole("cluster-admin"), subjects: [group("system:nodes")] }), []),
    ],
    [
      "anonymous-access",
      anonymousAccess(declared(`${RBAC}:RoleBinding`, { subjects: [user("system:anonymous")] }), []),
    ],
    [
      "no-secrets-in-the-open",
      noSecretsInTheOpen(declared("command:local:Command", { create: "join abc123.0123456789abcdef" })),
    ],
  ])("shows what %s says", (policy, problems) => {
    const [problem] = problems;
    const section = readme.split("\n### ").find((text) => text.startsWith(`${policy}\n`));
    expect(section).toContain(`\`\`\`text\n${problem}\n\`\`\``);
  });
});
