import { isEmpty } from "lodash";
import { annotation, annotations, type KubeObject } from "./kubeObject";

/** Why an object is not ready yet. Undefined when it is ready, or when the plugin does not wait for its kind. */
export function notReadyReason(object: KubeObject): string | undefined {
  if (annotation(object, annotations.skipAwait) === "true") return undefined;
  const status = (object.status ?? {}) as Record<string, number | undefined>;
  const { replicas = 1 } = (object.spec ?? {}) as { replicas?: number };
  const isOld = (status.observedGeneration ?? 0) < (object.metadata?.generation ?? 0);
  const pods = (wanted = 0, ...counts: string[]): string | undefined => {
    if (isOld) return "the controller has not seen it yet";
    const have = Math.min(...counts.map((name) => status[name] ?? 0));
    return have < wanted ? `${have} of ${wanted} pods are ready` : undefined;
  };
  switch (`${object.apiVersion} ${object.kind}`) {
    case "apps/v1 DaemonSet":
      return pods(status.desiredNumberScheduled, "updatedNumberScheduled", "numberAvailable");
    case "apps/v1 Deployment":
      return pods(replicas, "updatedReplicas", "readyReplicas");
    case "v1 Secret": {
      // The token controller adds the data.
      const isToken = object.type === "kubernetes.io/service-account-token";
      return isToken && isEmpty(object.data) ? "it has no data yet" : undefined;
    }
    default:
      return undefined;
  }
}

const DEFAULT_SECONDS = 600;

/**
 * How many seconds the plugin waits for an object.
 * @param timeout from `customTimeouts`, in seconds; 0: none
 */
export function waitLimitSeconds(object: KubeObject, timeout: number): number {
  return timeout || Number(annotation(object, annotations.timeoutSeconds)) || DEFAULT_SECONDS;
}
