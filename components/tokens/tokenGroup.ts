import { BOOTSTRAPPERS_GROUP } from "../cluster/names";

/** The group of the tokens of a pool or scale group. */
export const tokenGroupOf = (name: string): string => `${BOOTSTRAPPERS_GROUP}:${name}`;
