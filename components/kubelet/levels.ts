import type { Check } from "../validation/refuse";
import { isMap, merge } from "../validation/maps";
import { fixedSettingChecks } from "./fixedSettings";
import { fieldChecks } from "./fields";
import { flagChecks } from "./flags";
import type { KubeletConfiguration } from "./KubeletConfiguration";
import { RELATIONS } from "./relations";
import { type KubeletVersion, onePerMinor, versionedGroups, versionedPools, versionForAll } from "./kubeletVersions";

/** The kubelet settings of one level: global, of a pool or of a worker. */
interface Level {
  /** Config key of the settings. */
  readonly at: string;
  readonly settings: KubeletConfiguration;
  /** The versions of the kubelets that get these settings, one for each minor. */
  readonly versions: readonly KubeletVersion[];
  /** The minors with which each field is valid by itself. */
  readonly validWith: ReadonlySet<number | undefined>;
}

/** A problem that the settings of a level have with a version. */
interface Finding {
  readonly level: Level;
  readonly version: KubeletVersion;
  readonly check: Check;
}

/**
 * Checks the kubelet settings and flags of all levels, with the version of each worker that gets them. Each problem is reported once, at
 * the level that caused it: two fields that contradict each other are reported at the level that first combines them.
 *
 * @param kubernetesVersion of the kubelets without a version of their own, `1.<minor>.<patch>`. With an invalid version only the checks
 *   that need no version run.
 * @param given global kubelet settings, the pools and the scale groups, as the user wrote them. Pools and workers of a wrong shape are reported elsewhere.
 */
export function kubeletChecks(
  kubernetesVersion: unknown,
  given: { kubelet?: unknown; pools?: unknown; scaleGroups?: unknown },
): Check[] {
  const findings: Finding[] = [];
  const levelAt = (at: string, holder: unknown, versions: readonly KubeletVersion[]): Level => {
    const settings = isMap(holder) && isMap(holder.kubelet) ? (holder.kubelet as KubeletConfiguration) : {};
    const flags = isMap(holder) && isMap(holder.kubeletFlags) ? holder.kubeletFlags : {};
    const validWith = new Set<number | undefined>();
    const level = { at, settings, versions, validWith };
    for (const version of versions) {
      const fields = [...fieldChecks(at, settings, version.minor), ...fixedSettingChecks(at, settings)];
      if (fields.every(isFine)) validWith.add(version.minor);
      const checks = [...fields, ...flagChecks(`${at}Flags`, flags, version.minor)];
      findings.push(...checks.map((check) => ({ level, version, check })));
    }
    return level;
  };

  const pools = [
    ...versionedPools(kubernetesVersion, given.pools),
    ...versionedGroups(kubernetesVersion, given.scaleGroups),
  ];
  const inUse = pools.flatMap(({ versions }) => versions);
  const all = levelAt("kubelet", given, onePerMinor(inUse.length > 0 ? inUse : [versionForAll(kubernetesVersion)]));
  const chains = pools.flatMap(({ at, pool, versions, workers }) => {
    const ofPool = levelAt(`${at}.kubelet`, pool, versions);
    const shared = new Map<number | undefined, Chain>();
    const own = workers.flatMap(({ at: place, worker, version }): Chain[] => {
      const level = levelAt(`${place}.kubelet`, worker, [version]);
      if (Object.keys(level.settings).length > 0) return [{ levels: [all, ofPool, level], version }];
      // Workers without settings of their own share the chain of their pool and version, so it is checked once.
      shared.set(version.minor, { levels: [all, ofPool], version });
      return [];
    });
    return [...shared.values(), ...own];
  });
  const broken = new Map<string, Finding>();
  for (const finding of chains.flatMap(relationFindings))
    broken.set(`${finding.check[0]} ${finding.version.minor}`, finding);
  return reportOf([...findings, ...broken.values()]);
}

const isFine = ([, problem]: Check): boolean => problem === undefined;

/** A problem that only some versions have is reported for the first of them, with the key of that version. */
function reportOf(all: readonly Finding[]): Check[] {
  const findings = all.filter(({ check }) => !isFine(check));
  const minors = new Map<string, Set<number | undefined>>();
  for (const { check, version } of findings)
    minors.set(check[0], (minors.get(check[0]) ?? new Set()).add(version.minor));
  return findings.flatMap(({ level, version, check: [where, problem, value] }): Check[] => {
    const [first, ...others] = minors.get(where)!;
    if (version.minor !== first) return [];
    const isForAll = others.length + 1 === level.versions.length;
    return [[where, isForAll ? problem : `${problem} (with ${version.at})`, value]];
  });
}

/** The levels that a worker's settings come from, and its version. */
interface Chain {
  readonly levels: readonly Level[];
  readonly version: KubeletVersion;
}

/** Checks the merged settings of a worker. A problem is reported at the first level whose settings, merged so far, have it. */
function relationFindings({ levels, version }: Chain): Finding[] {
  const { minor } = version;
  if (minor === undefined || !levels.every(({ validWith }) => validWith.has(minor))) return [];
  const merged = levels.map((_, i) =>
    levels.slice(0, i + 1).reduce<KubeletConfiguration>((sum, { settings }) => merge(sum, settings), {}),
  );
  return RELATIONS.flatMap(({ fields, problem }): Finding[] => {
    const message = problem(merged.at(-1)!, minor);
    if (!message) return [];
    const level = levels[merged.findIndex((config) => problem(config, minor))];
    return [{ level, version, check: [`${level.at}.${fields.find((field) => field in level.settings)}`, message] }];
  });
}
