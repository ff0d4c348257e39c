import { isEmpty } from "lodash";
import { annotation, annotations, type KubeObject } from "./kubeObject";

/**
 * What a workload is still missing of what its spec asks for; undefined: nothing. Kinds that are what they are as soon as they exist
 * have nothing to wait for.
 */
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
      // The token controller fills it in.
      const isToken = object.type === "kubernetes.io/service-account-token";
      return isToken && isEmpty(object.data) ? "it has no data yet" : undefined;
    }
    default:
      return undefined;
  }
}

const defaultSeconds = 600;

/** @param timeout from `customTimeouts`, in seconds; 0: none. */
export function waitLimitSeconds(object: KubeObject, timeout: number): number {
  return timeout || Number(annotation(object, annotations.timeoutSeconds)) || defaultSeconds;
}
