import { join, resolve } from "node:path";

/** The folder of this clone. */
export const REPOSITORY = resolve(__dirname, "..");

/** Lets Node.js run TypeScript: `node --import <loader> <file>.ts`. */
export const TYPESCRIPT_LOADER = `file://${join(REPOSITORY, "node_modules", "tsx", "dist", "loader.mjs")}`;
