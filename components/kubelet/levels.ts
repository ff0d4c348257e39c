import type { Check } from "../validation/refuse";
import { isMap, merge } from "../validation/maps";
import { fixedSettingChecks } from "./fixedSettings";
import { fieldChecks } from "./fields";
import { flagChecks } from "./flags";
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { RELATIONS } from "./relations";
import { minorOf } from "./kubeletData";

/** Kubelet settings of one level: of all pools, of a pool or of a worker. */
interface Level {
  readonly at: string;
  readonly settings: KubeletConfiguration;
  /** Nothing is wrong with its fields by themselves. */
  readonly sound: boolean;
}

/**
 * Everything that is wrong with the kubelet settings and flags of all levels, each problem once, where it was made: a pair of fields that do not fit is
 * reported at the level that brought them together. The shape of pools and workers is checked elsewhere, and may be wrong here.
 *
 * @param kubernetesVersion of the kubelets; a wrong one is reported elsewhere too.
 */
export function kubeletChecks(kubernetesVersion: unknown, given: { kubelet?: unknown; pools?: unknown }): Check[] {
  const minor = minorOf(kubernetesVersion);
  const checks: Check[] = [];
  const level = (at: string, holder: unknown): Level => {
    const settings = isMap(holder) && isMap(holder.kubelet) ? (holder.kubelet as KubeletConfiguration) : {};
    const own = [...fieldChecks(at, settings, minor), ...fixedSettingChecks(at, settings)];
    checks.push(...own);
    if (isMap(holder) && isMap(holder.kubeletFlags))
      checks.push(...flagChecks(`${at}Flags`, holder.kubeletFlags, minor));
    return { at, settings, sound: own.every(([, problem]) => problem === undefined) };
  };

  const all = level("kubelet", given);
  const chains = list(given.pools).flatMap((pool, p): Level[][] => {
    const ofPool = level(`pools[${p}].kubelet`, pool);
    const shared = [all, ofPool];
    return list(isMap(pool) ? pool.workers : undefined).map((worker, w) => {
      const own = level(`pools[${p}].workers[${w}].kubelet`, worker);
      return Object.keys(own.settings).length > 0 ? [...shared, own] : shared;
    });
  });
  if (minor === undefined) return checks;
  const broken = new Map<string, Check>();
  // Once for all workers of a pool that say nothing of their own.
  for (const chain of new Set(chains.filter((levels) => levels.every(({ sound }) => sound))))
    for (const check of relationChecks(chain, minor)) broken.set(check[0], check);
  return [...checks, ...broken.values()];
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** What is wrong with the settings that a worker ends up with, at the level where it went wrong. */
function relationChecks(chain: readonly Level[], minor: number): Check[] {
  const sums = chain.map((_, i) =>
    chain.slice(0, i + 1).reduce<KubeletConfiguration>((sum, { settings }) => merge(sum, settings), {}),
  );
  return RELATIONS.flatMap(({ fields, problem }): Check[] => {
    const words = problem(sums.at(-1)!, minor);
    if (!words) return [];
    const { at, settings } = chain[sums.findIndex((sum) => problem(sum, minor))];
    return [[`${at}.${fields.find((field) => field in settings)}`, words]];
  });
}
