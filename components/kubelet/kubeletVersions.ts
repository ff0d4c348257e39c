/** The versions of kubelets, as the user wrote them: a worker's overrides its pool's, which overrides the one for all. */
import { elementsOf, isMap } from "../validation/maps";
import { minorOf } from "./kubeletData";

/** A version of kubelets, and the config key that sets it. */
export interface KubeletVersion {
  readonly at: string;
  /** Undefined when the version is invalid, which is reported elsewhere. */
  readonly minor: number | undefined;
}

/** A pool as the user wrote it, with the versions of its kubelets. */
export interface VersionedPool {
  readonly at: string;
  readonly pool: unknown;
  /** The versions of its workers, one for each minor. */
  readonly versions: readonly KubeletVersion[];
  readonly workers: readonly { readonly at: string; readonly worker: unknown; readonly version: KubeletVersion }[];
}

/** @param key of the list of pools */
export function versionedPools(kubernetesVersion: unknown, pools: unknown, key = "pools"): VersionedPool[] {
  return elementsOf(pools).map((pool, p) => {
    const at = `${key}[${p}]`;
    const ofPool = versionAt(at, pool, versionForAll(kubernetesVersion));
    const workers = elementsOf(isMap(pool) ? pool.workers : undefined).map((worker, w) => {
      const place = `${at}.workers[${w}]`;
      return { at: place, worker, version: versionAt(place, worker, ofPool) };
    });
    const versions = workers.length > 0 ? workers.map(({ version }) => version) : [ofPool];
    return { at, pool, versions: onePerMinor(versions), workers };
  });
}

/** Scale groups, each as a pool of one worker without settings of its own. */
export const versionedGroups = (kubernetesVersion: unknown, groups: unknown): VersionedPool[] =>
  versionedPools(
    kubernetesVersion,
    elementsOf(groups).map((group) => (isMap(group) ? { ...group, workers: [{}] } : group)),
    "scaleGroups",
  );

/** The version of the workers without another one. */
export const versionForAll = (kubernetesVersion: unknown): KubeletVersion => ({
  at: "kubernetesVersion",
  minor: minorOf(kubernetesVersion),
});

/** The version that a pool or worker sets, or the inherited one. */
const versionAt = (at: string, holder: unknown, inherited: KubeletVersion): KubeletVersion =>
  isMap(holder) && holder.kubernetesVersion !== undefined
    ? { at: `${at}.kubernetesVersion`, minor: minorOf(holder.kubernetesVersion) }
    : inherited;

/** The first version of each minor. */
export const onePerMinor = (versions: readonly KubeletVersion[]): KubeletVersion[] =>
  versions.filter(({ minor }, i) => versions.findIndex((other) => other.minor === minor) === i);
