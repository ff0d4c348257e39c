/**
 * Which machine is whose. Two workers with one machine-id are one image that was copied after its first boot; a DHCP server, a network plugin or a
 * storage driver may take them for the same machine.
 *
 * Each worker claims its machine when `host` has looked at it, or when the state tells so. Nobody waits for the others: between two that are
 * new, the later one is told.
 */
export class Machines {
  readonly #owners = new Map<string, string>();

  /** The worker whose machine this already is; undefined when that is nobody else's. */
  claim(worker: string, { machine }: { readonly machine: string }): string | undefined {
    const owner = this.#owners.get(machine) ?? worker;
    this.#owners.set(machine, owner);
    return owner === worker ? undefined : owner;
  }
}
