import type { ResourceState } from "./resource";

/**
 * The resources as they are at this moment of an operation: those already dealt with, then whatever of the last
 * operation's has not been reached yet.
 */
export class Snapshot {
  private readonly done: ResourceState[] = [];
  private readonly gone = new Set<ResourceState>();
  private readonly replacements = new Map<ResourceState, ResourceState>();

  constructor(
    private base: ResourceState[],
    private readonly save: (resources: ResourceState[], settled?: string) => void = () => {},
  ) {}

  get resources(): ResourceState[] {
    const rest = this.base
      .filter((resource) => !this.gone.has(resource))
      .map((resource) => this.replacements.get(resource) ?? resource);
    return [...this.done, ...rest];
  }

  /** Starts over from what the last phase (a refresh) left. */
  rebase(): ResourceState[] {
    this.base = this.resources;
    this.done.length = 0;
    this.gone.clear();
    this.replacements.clear();
    return this.base;
  }

  add(resource: ResourceState, instead?: ResourceState): void {
    this.done.push(resource);
    if (instead) this.gone.add(instead);
    this.persist(resource.urn);
  }

  /** Puts a refreshed state where the old one was. */
  replace(old: ResourceState, fresh: ResourceState): void {
    this.replacements.set(old, fresh);
    this.persist();
  }

  remove(resource: ResourceState): void {
    const at = this.done.indexOf(resource);
    if (at >= 0) this.done.splice(at, 1);
    else this.gone.add(resource);
    this.persist(resource.urn);
  }

  /** `settled`: the resource that has been dealt with. */
  persist(settled?: string): void {
    this.save(this.resources, settled);
  }
}
