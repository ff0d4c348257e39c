import * as pulumi from "@pulumi/pulumi";
import { ConfigMapPatch } from "@pulumi/kubernetes/core/v1";
import { Role, RoleBinding } from "@pulumi/kubernetes/rbac/v1";
import type * as types from "@pulumi/kubernetes/types";
import type { ClusterSpec } from "../spec/specs";
import { renderKubeconfig } from "./kubeconfig";
import { CLUSTER_INFO, PATCH_FORCE } from "./names";

const RBAC = "rbac.authorization.k8s.io";

export interface ClusterInfoArgs {
  /** The API server as joiners reach it. */
  readonly cluster: ClusterSpec;
}

/**
 * Publishes the ConfigMap kube-public/cluster-info, which anybody may read: server and CA, public both. The controller manager's bootstrap
 * signer adds a signature for each live token (`jws-kubeconfig-<id>`). The signature shows a joiner that knows only a token that the document is not forged. Workers
 * of this module do not need cluster-info: they get the CA over SSH, from a host whose key is pinned.
 *
 * A document that kubeadm or another installer has published stays as it is, whatever server it names: its joiners go there. This component
 * then adds its own Role and RoleBinding only.
 *
 * Several stacks may publish on one cluster. The document is then that of the stack that wrote last. The ConfigMap is owned by the Roles of
 * all these stacks, so the garbage collector deletes it with the last of them.
 */
export class ClusterInfo extends pulumi.ComponentResource {
  /** The published kubeconfig: one cluster, no credentials. */
  readonly kubeconfig: pulumi.Output<string>;

  constructor(name: string, args: ClusterInfoArgs, opts?: pulumi.ComponentResourceOptions) {
    super("tls-bootstrap:index:ClusterInfo", name, {}, opts);
    const { namespace, name: configMap, key } = CLUSTER_INFO;
    const role = new Role(
      `${name}-read`,
      {
        metadata: { namespace, name: `${name}:read` },
        rules: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: [configMap], verbs: ["get"] }],
      },
      { parent: this },
    );
    // This patch sets nothing. Its outputs show what the cluster had before. The preview that creates it does not know them, nor its id.
    const existing = new ConfigMapPatch(
      `${name}-existing`,
      { metadata: { namespace, name: configMap } },
      { parent: this, retainOnDelete: true },
    );
    const isForeign = pulumi.all([existing.id, existing.metadata]).apply(([, metadata]) => isOfOtherTool(metadata));
    const own = pulumi.output(args.cluster).apply(({ server, ca }) => renderKubeconfig({ server, ca }));
    this.kubeconfig = isForeign.apply((foreign) => (foreign ? existing.data[key] : own));

    /** An undefined field is left out of the patch. */
    const unlessForeign = <T>(value: pulumi.Input<T>): pulumi.Output<T> =>
      isForeign.apply((foreign) => (foreign ? undefined : value)) as pulumi.Output<T>;
    const owner = role.metadata.apply(({ name, uid }) => [
      { apiVersion: `${RBAC}/v1`, kind: "Role", name, uid, blockOwnerDeletion: true },
    ]);
    const document = new ConfigMapPatch(
      name,
      {
        metadata: {
          namespace,
          name: configMap,
          annotations: unlessForeign(PATCH_FORCE),
          ownerReferences: unlessForeign(owner),
        },
        data: unlessForeign(own.apply((kubeconfig) => ({ [key]: kubeconfig }))),
      },
      // The list has the owners of all stacks. A refresh would take the first one for the owner of this stack.
      { parent: this, retainOnDelete: true, ignoreChanges: ["metadata.ownerReferences"] },
    );
    new RoleBinding(
      `${name}-read-anonymously`,
      {
        metadata: { namespace, name: `${name}:read-anonymously` },
        roleRef: { apiGroup: RBAC, kind: "Role", name: role.metadata.name },
        subjects: [{ apiGroup: RBAC, kind: "User", name: "system:anonymous" }],
      },
      { parent: this, dependsOn: [document] },
    );
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }
}

/**
 * Whether another tool has published a document in this ConfigMap. A stack of this module has its Role among the owners. Who has set which
 * field is in the metadata; the data itself, where there is none, is an output that no preview knows.
 */
function isOfOtherTool({ managedFields = [], ownerReferences = [] }: types.output.meta.v1.ObjectMetaPatch): boolean {
  const hasDocument = managedFields.some(
    ({ fieldsV1 }: { fieldsV1?: { "f:data"?: object } }) => `f:${CLUSTER_INFO.key}` in (fieldsV1?.["f:data"] ?? {}),
  );
  return hasDocument && !ownerReferences.some(({ kind }) => kind === "Role");
}
