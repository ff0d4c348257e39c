import { BOOTSTRAPPERS_GROUP } from "../cluster/names";

/** The group of the tokens of a pool or scale group. With a scope, another stack's pool of the same name has another group. */
export const tokenGroupOf = (name: string, scope?: string): string =>
  [BOOTSTRAPPERS_GROUP, ...(scope === undefined ? [] : [scope]), name].join(":");
