import { Secret, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";
import { renderKubeconfig } from "../cluster/kubeconfig";
import { NODE_PROXIER_ROLE } from "../cluster/names";
import type { ClusterSpec } from "../spec/specs";

export const KubeProxyForm = {
  Daemonset: "daemonset",
  Unit: "unit",
} as const;
export type KubeProxyForm = (typeof KubeProxyForm)[keyof typeof KubeProxyForm];

export interface KubeProxyIdentityArgs {
  /**
   * How kube-proxy runs. `daemonset`: as pods, which get a token that is bound to the pod and renewed by its kubelet. `unit`: as a systemd unit on each
   * worker, with a token that is bound to a Secret: deleting that Secret revokes it.
   */
  readonly form: KubeProxyForm;
}

/**
 * Who kube-proxy is: a ServiceAccount that may do what kube-proxy does and no more. It cannot use the kubelet's identity, which may not read
 * EndpointSlices.
 */
export class KubeProxyIdentity extends pulumi.ComponentResource {
  /** The ServiceAccount's name, for the `serviceAccountName` of pods in kube-system. */
  readonly serviceAccountName: pulumi.Output<string>;
  /** The token of the `unit` form; secret. */
  readonly token: pulumi.Output<string> | undefined;

  constructor(name: string, args: KubeProxyIdentityArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:KubeProxyIdentity", name, {}, opts);
    const namespace = "kube-system";
    const account = new ServiceAccount(
      name,
      // A unit has no pod that a token could be mounted into.
      { metadata: { namespace, name }, automountServiceAccountToken: args.form === "daemonset" },
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
    if (args.form === "unit") {
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
        // The token controller fills it in.
        { parent: this, additionalSecretOutputs: ["data"] },
      );
      this.token = pulumi.secret(secret.data.apply(({ token }) => Buffer.from(token ?? "", "base64").toString()));
    }
    this.registerOutputs({});
  }

  /**
   * The kubeconfig of the `unit` form, as a secret.
   * @param cluster server and CA of the API server.
   * @throws Error for the `daemonset` form, whose pods have their token mounted.
   */
  kubeconfig(cluster: ClusterSpec): pulumi.Output<string> {
    if (!this.token) throw new Error("pods of the daemonset form have their token mounted, and no kubeconfig with it");
    return pulumi
      .all([pulumi.output(cluster), this.token])
      .apply(([endpoint, token]) => renderKubeconfig(endpoint, "kube-proxy", { token }));
  }
}
