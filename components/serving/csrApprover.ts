import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { ClusterRole, ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";
import { isIPv6 } from "node:net";
import { KUBELET_SERVING_SIGNER } from "../cluster/names";
import { servingNamesOf } from "./servingNames";
import type { ServingGroup, ServingNode } from "./servingPolicy";

/** Release 1.2.14, by the digest of its list of images for all architectures. */
const IMAGE =
  "ghcr.io/postfinance/kubelet-csr-approver:v1.2.14@sha256:c0f6aa1abdc225a32f9a29992fd97f711e78e2df21434f9ce7bc60981f96a5f8";

const NAMESPACE = "kube-system";

export interface CsrApproverArgs {
  /** The nodes whose requests it approves. */
  readonly nodes: ServingNode[];
  /**
   * The groups whose nodes' requests it approves. Each needs the ranges of its addresses.
   * @default []
   */
  readonly groups?: ServingGroup[];
  /** @default a released version, by its digest */
  readonly image?: string;
}

const APPROVER_RULES = [
  {
    apiGroups: ["certificates.k8s.io"],
    resources: ["certificatesigningrequests"],
    verbs: ["get", "list", "watch"],
  },
  {
    apiGroups: ["certificates.k8s.io"],
    resources: ["certificatesigningrequests/approval"],
    verbs: ["update"],
  },
  {
    apiGroups: ["certificates.k8s.io"],
    resources: ["signers"],
    resourceNames: [KUBELET_SERVING_SIGNER],
    verbs: ["approve"],
  },
];

/**
 * kubelet-csr-approver. It approves requests for kubelet serving certificates with the declared names and addresses. It queries no DNS, and leaves all other requests
 * pending. {@link ServingPolicy} keeps wrong requests from being created.
 *
 * @see https://github.com/postfinance/kubelet-csr-approver
 */
export class CsrApprover extends pulumi.ComponentResource {
  constructor(name: string, args: CsrApproverArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:CsrApprover", name, {}, opts);
    const inside = { parent: this };
    const account = new ServiceAccount(name, { metadata: { namespace: NAMESPACE, name } }, inside);
    const role = new ClusterRole(
      name,
      {
        metadata: { name },
        rules: APPROVER_RULES,
      },
      inside,
    );
    new ClusterRoleBinding(
      name,
      {
        metadata: { name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
        subjects: [{ kind: "ServiceAccount", namespace: NAMESPACE, name: account.metadata.name }],
      },
      inside,
    );

    const labels = { "app.kubernetes.io/name": "kubelet-csr-approver", "app.kubernetes.io/instance": name };
    new Deployment(
      name,
      {
        // The approver runs on the nodes that are about to join. An update that waits for it waits for itself.
        metadata: { namespace: NAMESPACE, name, labels, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              serviceAccountName: account.metadata.name,
              priorityClassName: "system-cluster-critical",
              tolerations: [{ operator: "Exists", effect: "NoSchedule" }],
              containers: [approverContainer(args)],
            },
          },
        },
      },
      inside,
    );
    this.registerOutputs({});
  }
}

const approverContainer = ({ nodes, groups, image = IMAGE }: CsrApproverArgs) => ({
  name: "approver",
  image,
  args: pulumi.output(nodes).apply((known) => approverFlags(known, groups)),
  livenessProbe: { httpGet: { path: "/healthz", port: 8081 } },
  resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "128Mi" } },
  securityContext: {
    runAsUser: 65532,
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  },
});

/** The approver's flags, from the declared nodes and the groups alone. */
export function approverFlags(
  nodes: readonly pulumi.Unwrap<ServingNode>[],
  groups: readonly ServingGroup[] = [],
): string[] {
  const names = nodes.map(({ name, address }) => servingNamesOf(name, address));
  const unique = (of: readonly string[]) => [...new Set(of)].sort();
  const quoted = (name: string) => name.replaceAll(".", "[.]");
  const dns = [
    ...unique(names.flatMap((each) => each.dns)).map(quoted),
    ...groups.map(({ namePrefix }) => `${quoted(namePrefix)}[a-z0-9.-]+`),
  ];
  const prefixes = [
    ...unique(names.flatMap(({ ips }) => ips)).map((ip) => `${ip}/${isIPv6(ip) ? 128 : 32}`),
    ...unique(groups.flatMap(({ addresses = [] }) => addresses)),
  ];
  return [
    `-provider-regex=^(${dns.join("|")})$`,
    `-provider-ip-prefixes=${prefixes.join(",")}`,
    "-bypass-dns-resolution=true",
    // Another approver may approve the request, or the approver itself with its next configuration.
    "-skip-deny-step=true",
    "-metrics-bind-address=0",
  ];
}
