import type { Check } from "../validation/refuse";
import { isMap, merge } from "../validation/maps";
import { fixedSettingChecks } from "./fixedSettings";
import { fieldChecks } from "./fields";
import { flagChecks } from "./flags";
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { RELATIONS } from "./relations";
import { minorOf } from "./kubeletData";

/** The kubelet settings of one level: global, of a pool or of a worker. */
interface Level {
  /** Config key of the settings. */
  readonly at: string;
  readonly settings: KubeletConfiguration;
  /** Whether each field is valid by itself. */
  readonly isValid: boolean;
}

/**
 * Checks the kubelet settings and flags of all levels. Each problem is reported once, at the level that caused it: two fields that
 * contradict each other are reported at the level that first combines them.
 *
 * @param kubernetesVersion of the kubelets, `1.<minor>.<patch>`. An invalid version is reported elsewhere. Then only the checks that need
 *   no version run.
 * @param given global kubelet settings and the pools, as the user wrote them. Pools and workers of a wrong shape are reported elsewhere.
 */
export function kubeletChecks(kubernetesVersion: unknown, given: { kubelet?: unknown; pools?: unknown }): Check[] {
  const minor = minorOf(kubernetesVersion);
  const checks: Check[] = [];
  const checkLevel = (at: string, holder: unknown): Level => {
    const settings = isMap(holder) && isMap(holder.kubelet) ? (holder.kubelet as KubeletConfiguration) : {};
    const own = [...fieldChecks(at, settings, minor), ...fixedSettingChecks(at, settings)];
    checks.push(...own);
    if (isMap(holder) && isMap(holder.kubeletFlags))
      checks.push(...flagChecks(`${at}Flags`, holder.kubeletFlags, minor));
    return { at, settings, isValid: own.every(([, problem]) => problem === undefined) };
  };

  const all = checkLevel("kubelet", given);
  const chains = list(given.pools).flatMap((pool, p): Level[][] => {
    const ofPool = checkLevel(`pools[${p}].kubelet`, pool);
    const shared = [all, ofPool];
    return list(isMap(pool) ? pool.workers : undefined).map((worker, w) => {
      const own = checkLevel(`pools[${p}].workers[${w}].kubelet`, worker);
      return Object.keys(own.settings).length > 0 ? [...shared, own] : shared;
    });
  });
  if (minor === undefined) return checks;
  const broken = new Map<string, Check>();
  // Workers without settings of their own share their pool's chain, so the set checks it once.
  for (const chain of new Set(chains.filter((levels) => levels.every(({ isValid }) => isValid))))
    for (const check of relationChecks(chain, minor)) broken.set(check[0], check);
  return [...checks, ...broken.values()];
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Checks the merged settings of a worker. A problem is reported at the first level whose settings, merged so far, have it. */
function relationChecks(chain: readonly Level[], minor: number): Check[] {
  const merged = chain.map((_, i) =>
    chain.slice(0, i + 1).reduce<KubeletConfiguration>((sum, { settings }) => merge(sum, settings), {}),
  );
  return RELATIONS.flatMap(({ fields, problem }): Check[] => {
    const message = problem(merged.at(-1)!, minor);
    if (!message) return [];
    const { at, settings } = chain[merged.findIndex((config) => problem(config, minor))];
    return [[`${at}.${fields.find((field) => field in settings)}`, message]];
  });
}
