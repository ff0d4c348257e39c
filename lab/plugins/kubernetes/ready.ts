import { annotation, annotations, type KubeObject } from "./object";

/**
 * Whether a workload has become what its spec asks for; a text says what is missing. Kinds that are what they are as
 * soon as they exist have nothing to wait for.
 */
export function notReady(object: KubeObject): string | undefined {
  if (annotation(object, annotations.skipAwait) === "true") return undefined;
  const status = (object.status ?? {}) as Record<string, unknown>;
  const spec = (object.spec ?? {}) as Record<string, unknown>;
  const count = (name: string): number => (typeof status[name] === "number" ? status[name] : 0);
  const isOld = count("observedGeneration") < (object.metadata?.generation ?? 0);
  switch (`${object.apiVersion} ${object.kind}`) {
    case "apps/v1 DaemonSet": {
      const wanted = count("desiredNumberScheduled");
      if (isOld) return "the controller has not seen it yet";
      return missing(Math.min(count("updatedNumberScheduled"), count("numberAvailable")), wanted);
    }
    case "apps/v1 Deployment":
    case "apps/v1 StatefulSet": {
      const wanted = typeof spec.replicas === "number" ? spec.replicas : 1;
      if (isOld) return "the controller has not seen it yet";
      return missing(Math.min(count("updatedReplicas"), count("readyReplicas")), wanted);
    }
    case "v1 Pod":
      return status.phase === "Running" || status.phase === "Succeeded" ? undefined : `it is ${String(status.phase)}`;
    case "v1 Secret":
      // Filled in by the token controller.
      return object.type === "kubernetes.io/service-account-token" && Object.keys(object.data ?? {}).length === 0
        ? "it has no data yet"
        : undefined;
    default:
      return undefined;
  }
}

function missing(have: number, wanted: number): string | undefined {
  return have >= wanted ? undefined : `${have} of ${wanted} pods are ready`;
}

const defaultSeconds = 600;

export function waitSeconds(object: KubeObject, timeout: number | undefined): number {
  const annotated = Number(annotation(object, annotations.timeoutSeconds));
  return timeout ?? (annotated > 0 ? annotated : defaultSeconds);
}
