import { mkdir, readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { REPOSITORY } from "../labPaths";

/** Below node_modules, so that the bundle finds the packages that are not in it. */
const BUNDLE = join(REPOSITORY, "node_modules", ".cache", "tls-bootstrap", "plugins.cjs");

/**
 * The stand-in plugins as one JavaScript file: the CLI starts five plugins for each operation, and a plugin starts in a third of the time. The file is
 * made again when a source or a package has changed.
 */
export async function bundlePlugins(): Promise<string> {
  const sources = (await readdir(join(REPOSITORY, "lab"), { recursive: true })).filter((name) => name.endsWith(".ts"));
  const files = [
    ...sources.map((name) => join(REPOSITORY, "lab", name)),
    join(REPOSITORY, "node_modules", ".package-lock.json"),
  ];
  const [made, ...changed] = await Promise.all([BUNDLE, ...files].map(changedAt));
  if (made <= Math.max(...changed)) {
    // Loaded when it is needed.
    const { build } = await import("esbuild");
    const staging = `${BUNDLE}.${process.pid}`;
    await mkdir(dirname(BUNDLE), { recursive: true });
    await build({
      entryPoints: [join(REPOSITORY, "lab", "plugins", "pluginMain.ts")],
      outfile: staging,
      bundle: true,
      platform: "node",
      // Native parts of packages, which do without.
      external: ["*.node", "cpu-features"],
      logLevel: "error",
    });
    await rename(staging, BUNDLE);
  }
  return BUNDLE;
}

/** Milliseconds; 0 for a file that is not there. */
const changedAt = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
