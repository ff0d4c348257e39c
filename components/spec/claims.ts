/** What only all pools and scale groups together can get wrong: names and addresses that two of them have. */
import { canonicalAddress, nodeAddressesOf } from "../validation/addresses";
import { below } from "../validation/problems";
import type { Check } from "../validation/refuse";
import type { ScaleGroupSetting } from "./scaleGroupSchema";
import type { PlacedPool } from "./check";

/** A value that is known, and where it stands. */
interface Placed {
  readonly value: string;
  readonly where: string;
}

/**
 * Names, addresses and host keys that are given twice. Values that are known only later are left to the join, which compares machine ids.
 * The VM of a lost worker may have been replaced by the VM of another one, so only its name counts.
 */
export function duplicateChecks(pools: readonly PlacedPool[]): Check[] {
  const workers = pools.flatMap(({ pool, places }) =>
    pool.workers.map((worker, i) => ({ ...worker, place: places[i] })),
  );
  const present = workers.filter(({ lost }) => !lost);
  const column = (key: "name" | "address" | "hostKey"): Placed[] =>
    (key === "name" ? workers : present).flatMap((worker) => {
      const value = worker[key];
      return typeof value === "string" ? [{ value: canonicalAddress(value), where: below(worker.place, key) }] : [];
    });
  const nodeAddresses = present.flatMap(({ address, nodeAddress, place }, i): Placed[] => {
    // Where two node addresses come from one address that is given twice, the address is reported.
    const isReported = present.findIndex((other) => other.address === address) < i;
    if (typeof nodeAddress !== "string" || isReported) return [];
    const key = typeof address === "string" && nodeAddress === canonicalAddress(address) ? "address" : "nodeAddress";
    return nodeAddressesOf(nodeAddress).map((value) => ({ value, where: below(place, key) }));
  });
  return [
    ...duplicates(
      "name",
      pools.map(({ at, pool }) => ({ value: pool.name, where: below(at, "name") })),
    ),
    ...duplicates("name", column("name")),
    ...duplicates("address", column("address")),
    ...duplicates("node address", nodeAddresses),
    ...duplicates("host key", column("hostKey")),
  ];
}

function duplicates(what: string, entries: readonly Placed[]): Check[] {
  const seen = new Map<string, string>();
  return entries.flatMap(({ value, where }): Check[] => {
    const first = seen.get(value);
    if (first === undefined) seen.set(value, where);
    return first === undefined ? [] : [[where, `is already the ${what} of ${first}`, value]];
  });
}

/** Names that two token groups may claim. */
export function claimChecks(pools: readonly PlacedPool[], groups: readonly ScaleGroupSetting[]): Check[] {
  return groups.flatMap(({ name, namePrefix }, i): Check[] => {
    const earlier = groups.slice(0, i);
    const isTaken = pools.some(({ pool }) => pool.name === name) || earlier.some((other) => other.name === name);
    const overlapping = earlier.find(
      (other) => other.namePrefix.startsWith(namePrefix) || namePrefix.startsWith(other.namePrefix),
    );
    const worker = pools.flatMap(({ pool }) => pool.workers).find((candidate) => candidate.name.startsWith(namePrefix));
    return [
      [`scaleGroups[${i}].name`, isTaken ? "is already the name of a pool or scale group" : undefined, name],
      [
        `scaleGroups[${i}].namePrefix`,
        overlapping
          ? `overlaps with '${overlapping.namePrefix}' of scale group ${overlapping.name}: each group could claim names of the other`
          : worker && `is a prefix of the name of worker ${worker.name}: tokens of this group could claim that name`,
        namePrefix,
      ],
    ];
  });
}
