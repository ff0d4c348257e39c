import { cp, symlink } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

/** The folder of this clone. */
export const REPOSITORY = resolve(__dirname, "..");

/** Lets Node.js run TypeScript: `node --import <loader> <file>.ts`. */
export const TYPESCRIPT_LOADER = `file://${join(REPOSITORY, "node_modules", "tsx", "dist", "loader.mjs")}`;

/** Copies the files of this clone, committed or not, without what is installed or built, and without `left`. */
export async function copyRepository(folder: string, ...left: string[]): Promise<void> {
  const skipped = new Set(["node_modules", ".git", ".lab", "coverage", ...left]);
  await cp(REPOSITORY, folder, { recursive: true, filter: (path) => !skipped.has(relative(REPOSITORY, path)) });
}

/** Copies the program of this clone, with a link to its packages, so that a test may change the copy. */
export async function copyProgram(folder: string): Promise<void> {
  await copyRepository(folder, "test");
  await symlink(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
}
