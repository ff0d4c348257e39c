import { Secret, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";
import { renderKubeconfig } from "../cluster/kubeconfig";
import { NODE_PROXIER_ROLE } from "../cluster/names";
import type { ClusterSpec } from "../spec/specs";

export const KubeProxyIdentityMode = {
  Daemonset: "daemonset",
  Unit: "unit",
} as const;
export type KubeProxyIdentityMode = (typeof KubeProxyIdentityMode)[keyof typeof KubeProxyIdentityMode];

export interface KubeProxyIdentityArgs {
  /**
   * How kube-proxy runs. `daemonset`: as pods. Each pod's token is bound to the pod, and the kubelet renews it. `unit`: as a systemd unit
   * on each worker. All units share the token of one Secret, which you delete to revoke the token.
   */
  readonly mode: KubeProxyIdentityMode;
}

/**
 * The identity of kube-proxy: a ServiceAccount with the ClusterRole `system:node-proxier`. The kubelet's identity does not suffice, because
 * it may not read EndpointSlices.
 */
export class KubeProxyIdentity extends pulumi.ComponentResource {
  /** Name of the ServiceAccount, for the `serviceAccountName` of pods in kube-system. */
  readonly serviceAccountName: pulumi.Output<string>;
  /** Secret: the token of the units. Undefined in mode `daemonset`. */
  readonly token: pulumi.Output<string> | undefined;

  constructor(name: string, args: KubeProxyIdentityArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:KubeProxyIdentity", name, {}, opts);
    const namespace = "kube-system";
    const account = new ServiceAccount(
      name,
      // Only pods mount a token.
      { metadata: { namespace, name }, automountServiceAccountToken: args.mode === "daemonset" },
      { parent: this },
    );
    this.serviceAccountName = account.metadata.name;
    new ClusterRoleBinding(
      name,
      {
        metadata: { name: `${name}:node-proxier` },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: NODE_PROXIER_ROLE },
        subjects: [{ kind: "ServiceAccount", namespace, name: account.metadata.name }],
      },
      { parent: this },
    );
    if (args.mode === "unit") {
      const secret = new Secret(
        name,
        {
          metadata: {
            namespace,
            name: `${name}-token`,
            annotations: { "kubernetes.io/service-account.name": account.metadata.name },
          },
          type: "kubernetes.io/service-account-token",
        },
        // Kubernetes puts the token into the Secret.
        { parent: this, additionalSecretOutputs: ["data"] },
      );
      this.token = pulumi.secret(secret.data.apply(({ token }) => Buffer.from(token ?? "", "base64").toString()));
    }
    this.registerOutputs({});
  }

  /**
   * Secret: the kubeconfig of the units.
   * @param cluster the API server as the workers reach it.
   * @throws Error in mode `daemonset`.
   */
  kubeconfig(cluster: ClusterSpec): pulumi.Output<string> {
    if (!this.token)
      throw new Error("kubeconfig() needs the mode 'unit': with 'daemonset', pods mount their own token");
    return pulumi
      .all([pulumi.output(cluster), this.token])
      .apply(([endpoint, token]) => renderKubeconfig(endpoint, "kube-proxy", { token }));
  }
}
