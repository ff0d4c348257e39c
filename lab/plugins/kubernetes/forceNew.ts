import { contains, parsePath } from "../paths";
import { annotation, annotations, type KubeObject } from "./object";

const ofSpec = (names: string): string[] => names.split(" ").map((name) => `spec.${name}`);
const selector = ofSpec("selector");

/** Fields that the API, or the provider, does not change in place. Identity is always among them. */
const fields: Record<string, string[] | undefined> = {
  "apps/v1 DaemonSet": selector,
  "apps/v1 Deployment": selector,
  "apps/v1 StatefulSet": ofSpec("podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates"),
  "batch/v1 Job": ofSpec("completions parallelism selector template"),
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": ["roleRef"],
  "rbac.authorization.k8s.io/v1 RoleBinding": ["roleRef"],
  "storage.k8s.io/v1 StorageClass": ["parameters", "provisioner"],
  "v1 PersistentVolumeClaim": ofSpec("accessModes selector storageClassName volumeName"),
  "v1 Pod": ["spec"],
  "v1 ResourceQuota": ofSpec("scopes"),
  "v1 Service": ofSpec("clusterIP"),
};

export interface Mutability {
  secrets: boolean;
  configMaps: boolean;
}

export function isForcedNew(object: KubeObject, path: string, mutable: Mutability, isPatch: boolean): boolean {
  const changed = parsePath(path);
  return [...(isPatch ? [] : forced(object, mutable)), "metadata.name", "metadata.namespace"].some((field) =>
    contains(parsePath(field), changed),
  );
}

function forced(object: KubeObject, mutable: Mutability): string[] {
  const kind = `${object.apiVersion} ${object.kind}`;
  const immutable = object.immutable === true;
  if (kind === "v1 Secret") return mutable.secrets && !immutable ? ["type"] : ["type", "stringData", "data"];
  if (kind === "v1 ConfigMap") return mutable.configMaps && !immutable ? [] : ["binaryData", "data"];
  return fields[kind] ?? [];
}

/** Two objects cannot have one name: the old one goes first, unless the new name is made up. */
export function deletesFirst(news: KubeObject, live: KubeObject): boolean {
  const { name, namespace = "default" } = news.metadata ?? {};
  if (name === undefined || annotation(news, annotations.autonamed) === "true") return false;
  return name === live.metadata?.name && namespace === (live.metadata.namespace ?? "default");
}
