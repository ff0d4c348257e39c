import { readFileSync } from "node:fs";
import { Command } from "@pulumi/command/remote";
import { Secret } from "@pulumi/kubernetes/core/v1";
import { Provider } from "@pulumi/kubernetes/provider";
import { ClusterRoleBinding, Role, RoleBinding } from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const violated = config.require("violates");

/** The violation when config names this policy, otherwise the sound value. */
const pick = <T>(policy: string, sound: T, violation: T): T => (policy === violated ? violation : sound);

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBa7+WzT6l9la5Qa+ARo+yef6z8bL22MZ6JG1l/0+w3E";
const RBAC = "rbac.authorization.k8s.io";

new Command("login", {
  connection: { host: "10.0.0.1", hostKey: pick<string | undefined>("ssh-host-key-pinned", HOST_KEY, undefined) },
  create: pick("no-secrets-in-the-open", "join", "join --token abc123.0123456789abcdef"),
});

const cluster = {
  provider: new Provider("cluster", { kubeconfig: readFileSync(config.require("kubeconfig"), "utf8") }),
};

const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
new Secret(
  "token",
  {
    metadata: { name: "bootstrap-token-abc123", namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
    stringData: { "token-id": "abc123", expiration: inDays(pick("bootstrap-token-ttl", 1, 30)) },
  },
  cluster,
);

const group = (name: string) => ({ kind: "Group", name, apiGroup: RBAC });
const clusterRole = (name: string) => ({ kind: "ClusterRole", name, apiGroup: RBAC });
new ClusterRoleBinding(
  "bootstrappers",
  {
    subjects: [group(pick("no-bare-bootstrappers", "system:bootstrappers:worker", "system:bootstrappers"))],
    roleRef: clusterRole("system:node-bootstrapper"),
  },
  cluster,
);
new ClusterRoleBinding(
  "nodes",
  {
    subjects: [group("system:nodes")],
    roleRef: clusterRole(pick("no-admin-for-nodes", "view", "cluster-admin")),
  },
  cluster,
);

const namespace = "kube-public";
const role = new Role(
  "cluster-info",
  {
    metadata: { name: "cluster-info", namespace },
    rules: [
      {
        apiGroups: [""],
        resources: ["configmaps"],
        resourceNames: ["cluster-info"],
        verbs: pick("anonymous-access", ["get"], ["get", "update"]),
      },
    ],
  },
  cluster,
);
new RoleBinding(
  "cluster-info",
  {
    metadata: { name: "cluster-info", namespace },
    subjects: [{ kind: "User", name: "system:anonymous", apiGroup: RBAC }],
    roleRef: { kind: "Role", name: role.metadata.name, apiGroup: RBAC },
  },
  cluster,
);
