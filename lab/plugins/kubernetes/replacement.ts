import { patternCovers, type Path } from "../diff";
import { annotation, annotations, type KubeObject } from "./kubeObject";

/** Fields that cannot change in place, because the API or the published plugin refuses it. Name and namespace are such fields, too. */
const IMMUTABLE_FIELDS: Record<string, string[] | undefined> = {
  "apps/v1 DaemonSet": ["spec.selector"],
  "apps/v1 Deployment": ["spec.selector"],
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": ["roleRef"],
  "rbac.authorization.k8s.io/v1 RoleBinding": ["roleRef"],
  "v1 ConfigMap": ["binaryData", "data"],
  "v1 Secret": ["type", "stringData", "data"],
};

/** Whether a change of the field at `path` replaces the object. */
export function requiresReplacement(
  object: KubeObject,
  path: Path,
  mutableConfigMaps: boolean,
  isPatch: boolean,
): boolean {
  const isMutable = isPatch || (object.kind === "ConfigMap" && mutableConfigMaps && object.immutable !== true);
  const own = (!isMutable && IMMUTABLE_FIELDS[`${object.apiVersion} ${object.kind}`]) || [];
  return ["metadata.name", "metadata.namespace", ...own].some((field) => patternCovers(field, path));
}

/** Whether the old object is deleted before the new one is created: both have the same name, and the plugin did not choose the name. */
export function deletesBeforeReplacement(news: KubeObject, live: KubeObject): boolean {
  const { name, namespace = "default" } = news.metadata ?? {};
  if (name === undefined || annotation(news, annotations.autonamed) === "true") return false;
  return name === live.metadata?.name && namespace === (live.metadata.namespace ?? "default");
}
