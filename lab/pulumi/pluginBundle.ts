import { mkdir, readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { REPOSITORY } from "../labPaths";

/** In node_modules, so that the bundle finds the packages that it does not contain. */
const BUNDLE = join(REPOSITORY, "node_modules", ".cache", "tls-bootstrap", "plugins.cjs");

/**
 * Bundles the stand-in plugins into one JavaScript file, unless no source or package has changed. The CLI starts five plugins for each
 * operation. From the bundle, a plugin starts in a third of the time.
 */
export async function bundlePlugins(): Promise<string> {
  const sources = (await readdir(join(REPOSITORY, "lab"), { recursive: true })).filter((name) => name.endsWith(".ts"));
  const files = [
    ...sources.map((name) => join(REPOSITORY, "lab", name)),
    join(REPOSITORY, "node_modules", ".package-lock.json"),
  ];
  const [made, ...changed] = await Promise.all([BUNDLE, ...files].map(changedAt));
  if (made <= Math.max(...changed)) {
    const { build } = await import("esbuild");
    const staging = `${BUNDLE}.${process.pid}`;
    await mkdir(dirname(BUNDLE), { recursive: true });
    await build({
      entryPoints: [join(REPOSITORY, "lab", "plugins", "pluginMain.ts")],
      outfile: staging,
      bundle: true,
      platform: "node",
      // Optional native parts of packages.
      external: ["*.node", "cpu-features"],
      logLevel: "error",
    });
    await rename(staging, BUNDLE);
  }
  return BUNDLE;
}

/** When a file changed, in milliseconds. 0 when the file does not exist. */
const changedAt = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
