import { makeUrn, nameOf, stackType, typeOf, type Alias, type Goal } from "./resource";

/**
 * The URNs under which a resource may be known from earlier operations: its own aliases, and those that follow from
 * its parent having been found under an alias
 * (`knownAs`: URN → the alias that was found).
 */
export function aliasUrns(goal: Goal, stack: string, project: string, knownAs: Map<string, string>): string[] {
  const own = goal.aliases.map((alias) => urnOf(alias, goal, stack, project, knownAs));
  const parentAlias = goal.parent === undefined ? undefined : knownAs.get(goal.parent);
  if (goal.parent === undefined || parentAlias === undefined) return [...new Set(own)];
  const parentName = nameOf(goal.parent);
  const inherited = [
    { type: goal.type, name: goal.name },
    ...own.map((urn) => ({ type: typeOf(urn), name: nameOf(urn) })),
  ];
  return [
    ...new Set([
      ...own,
      ...inherited.map(({ type, name }) => {
        // Children are named after their parent by convention; an alias of the parent renames them alike.
        const before = name.startsWith(parentName) ? nameOf(parentAlias) + name.slice(parentName.length) : name;
        return makeUrn(stack, project, parentAlias, type, before);
      }),
    ]),
  ];
}

function urnOf(alias: Alias, goal: Goal, stack: string, project: string, knownAs: Map<string, string>): string {
  if ("urn" in alias) return alias.urn;
  const named = alias.parent ?? goal.parent;
  const parent = named === undefined ? undefined : (knownAs.get(named) ?? named);
  const top = alias.noParent || parent === undefined || typeOf(parent) === stackType ? undefined : parent;
  return makeUrn(alias.stack || stack, alias.project || project, top, alias.type || goal.type, alias.name || goal.name);
}
