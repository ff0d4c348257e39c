import { patternCovers, type Path } from "../diff";
import { annotation, annotations, type KubeObject } from "./kubeObject";

/** Fields that the API, or the published plugin, does not change in place. Identity is always among them. */
const fields: Record<string, string[] | undefined> = {
  "apps/v1 DaemonSet": ["spec.selector"],
  "apps/v1 Deployment": ["spec.selector"],
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": ["roleRef"],
  "rbac.authorization.k8s.io/v1 RoleBinding": ["roleRef"],
  "v1 ConfigMap": ["binaryData", "data"],
  "v1 Secret": ["type", "stringData", "data"],
};

export function requiresReplacement(
  object: KubeObject,
  path: Path,
  mutableConfigMaps: boolean,
  isPatch: boolean,
): boolean {
  const isMutable = isPatch || (object.kind === "ConfigMap" && mutableConfigMaps && object.immutable !== true);
  const own = (!isMutable && fields[`${object.apiVersion} ${object.kind}`]) || [];
  return ["metadata.name", "metadata.namespace", ...own].some((field) => patternCovers(field, path));
}

/** Two objects cannot have one name: the old one goes first, unless the new name is made up. */
export function deletesBeforeReplacement(news: KubeObject, live: KubeObject): boolean {
  const { name, namespace = "default" } = news.metadata ?? {};
  if (name === undefined || annotation(news, annotations.autonamed) === "true") return false;
  return name === live.metadata?.name && namespace === (live.metadata.namespace ?? "default");
}
