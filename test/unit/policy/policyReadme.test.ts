import { readFileSync } from "node:fs";
import { join } from "node:path";
import { anonymousAccess } from "../../../policy/rules/anonymousAccess";
import { bootstrapTokenTtl } from "../../../policy/rules/bootstrapTokenTtl";
import { noAdminForNodes } from "../../../policy/rules/noAdminForNodes";
import { noBareBootstrappers } from "../../../policy/rules/noBareBootstrappers";
import { noSecretsInTheOpen } from "../../../policy/rules/noSecretsInTheOpen";
import { sshHostKeyPinned } from "../../../policy/rules/sshHostKeyPinned";
import { REPOSITORY } from "../../repository";
import { clusterRole, group, RBAC, resourceOf, tokenSecret, user } from "./rules/judging";

describe("policy/README.md", () => {
  const readme = readFileSync(join(REPOSITORY, "policy/README.md"), "utf8");
  const binding = (props: object) => resourceOf(`${RBAC}:ClusterRoleBinding`, props);
  it.each<[string, Iterable<string>]>([
    ["ssh-host-key-pinned", sshHostKeyPinned(resourceOf("command:remote:Command", { connection: {} }))],
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
      anonymousAccess(resourceOf(`${RBAC}:RoleBinding`, { subjects: [user("system:anonymous")] }), []),
    ],
    [
      "no-secrets-in-the-open",
      noSecretsInTheOpen(resourceOf("command:local:Command", { create: "join abc123.0123456789abcdef" })),
    ],
  ])("shows a message of %s", (policy, problems) => {
    const [problem] = problems;
    const section = readme.split("\n### ").find((text) => text.startsWith(`${policy}\n`));
    expect(section).toContain(`\`\`\`text\n${problem}\n\`\`\``);
  });
});
