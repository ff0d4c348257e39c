import { elementsOf, isMap } from "../validation/maps";
import type { Check } from "../validation/refuse";
import { minorOf } from "./kubeletData";

/** How many minors kubelet and kube-proxy may be older than the API servers. */
const MOST_MINORS_OLDER = 3;

/** The version of the API servers. */
export interface ApiServerVersion {
  /** `1.<minor>.<patch>`. Nothing is checked when it is not known yet. An invalid one is reported elsewhere. */
  readonly version: unknown;
  /** What sets it. */
  readonly source: string;
}

/**
 * Checks each `kubernetesVersion` of the settings against the version of the API servers.
 * @param given the version for all, the pools and the scale groups, as the user wrote them. Invalid versions are reported elsewhere.
 * @see https://kubernetes.io/releases/version-skew-policy/
 */
export function skewChecks(
  { version, source }: ApiServerVersion,
  given: { readonly kubernetesVersion?: unknown; readonly pools?: unknown; readonly scaleGroups?: unknown },
): Check[] {
  if (typeof version !== "string") return [];
  const server = minorOf(version);
  const checkAt = (at: string, holder: unknown): Check[] => {
    const own = isMap(holder) ? holder.kubernetesVersion : undefined;
    const minor = minorOf(own);
    if (server === undefined || minor === undefined) return [];
    return [[`${at}kubernetesVersion`, skewProblem(minor, server, `${version} (${source})`), String(own)]];
  };
  return [
    ...checkAt("", given),
    ...elementsOf(given.pools).flatMap((pool, p) => [
      ...checkAt(`pools[${p}].`, pool),
      ...elementsOf(isMap(pool) ? pool.workers : undefined).flatMap((worker, w) =>
        checkAt(`pools[${p}].workers[${w}].`, worker),
      ),
    ]),
    ...elementsOf(given.scaleGroups).flatMap((group, g) => checkAt(`scaleGroups[${g}].`, group)),
  ];
}

function skewProblem(minor: number, server: number, servers: string): string | undefined {
  if (minor > server) return `is newer than the API servers' ${servers}: upgrade the API servers first`;
  if (minor < server - MOST_MINORS_OLDER)
    return `is more than ${MOST_MINORS_OLDER} minors older than the API servers' ${servers}: upgrade the kubelets one minor at a time, to 1.${server - MOST_MINORS_OLDER} or newer`;
  return undefined;
}
