import { dependenciesOf, type ResourceState } from "./resource";

/**
 * The dependency graph of a list of resources in which every resource stands behind what it depends on (the order in
 * which a checkpoint keeps them).
 */
export class Graph {
  private readonly index: Map<ResourceState, number>;

  constructor(private readonly resources: ResourceState[]) {
    this.index = new Map(resources.map((resource, i) => [resource, i]));
  }

  /** Everything that depends on `root`, directly or not, in dependency order. */
  dependents(root: ResourceState, options: { ignore?: Set<string>; children?: boolean } = {}): ResourceState[] {
    const urns = new Set([root.urn]);
    const found: ResourceState[] = [];
    for (const candidate of this.resources.slice((this.index.get(root) ?? this.resources.length) + 1)) {
      if (options.ignore?.has(candidate.urn)) continue;
      const { parent, others } = dependenciesOf(candidate);
      const depends =
        [...others].some((urn) => urns.has(urn)) || (options.children && parent !== undefined && urns.has(parent));
      if (!depends) continue;
      found.push(candidate);
      urns.add(candidate.urn);
    }
    return found;
  }

  /** What a resource needs directly. A component that is needed stands for its children made before it was needed. */
  dependencies(resource: ResourceState): Set<ResourceState> {
    const { parent, others } = dependenciesOf(resource);
    const before = this.resources.slice(0, this.index.get(resource) ?? 0);
    const found = new Set<ResourceState>();
    const components = new Set<string>();
    for (const candidate of before) {
      const inNeeded = candidate.parent !== undefined && components.has(candidate.parent);
      if (others.has(candidate.urn) || inNeeded) {
        found.add(candidate);
        if (!candidate.custom) components.add(candidate.urn);
      } else if (candidate.urn === parent) {
        found.add(candidate);
      }
    }
    return found;
  }

  /**
   * Splits resources that are to be deleted into rounds: those of one round may go side by side, and nothing goes
   * before what depends on it.
   */
  deletionRounds(condemned: ResourceState[]): ResourceState[][] {
    const left = new Set(condemned);
    const rounds: ResourceState[][] = [];
    while (left.size > 0) {
      const able = [...left].filter((resource) => ![...this.dependencies(resource)].some((needed) => left.has(needed)));
      const free = able.length > 0 ? able : [...left];
      free.forEach((resource) => left.delete(resource));
      rounds.unshift(free);
    }
    return rounds;
  }
}
