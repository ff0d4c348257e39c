import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";
import { bundles, REPOSITORY } from "./labPaths";

const FOLDER = dirname(bundles.cli);

/** In a bundle, `__dirname` and `__filename` stay those of the source file, wherever the clone is. Scripts and packages are found from there. */
const sourcePlaces: Plugin = {
  name: "source places",
  setup(bundler) {
    bundler.onLoad({ filter: /\/lab\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const place = (of: string) => `require("node:path").join(__dirname, ${JSON.stringify(relative(FOLDER, of))})`;
      const places: Record<string, string> = { __dirname: place(dirname(path)), __filename: place(path) };
      return { contents: text.replace(/\b__(dirname|filename)\b/g, (name) => places[name]), loader: "ts" };
    });
  },
};

/**
 * Bundles the lab's command line and its stand-in plugins into one JavaScript file each, with a file that starts it. So they start in a third
 * of the time, and the CLI starts six plugins for each operation.
 */
export async function makeBundles(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  await bundle("plugins/pluginMain.ts", bundles.plugins);
  await bundle("cli/lab.ts", bundles.cli); // last: `lab/run` looks at its time
  const outdated = (await readdir(FOLDER)).filter((name) => name.endsWith(".v8"));
  await Promise.all(outdated.map((name) => rm(join(FOLDER, name), { force: true })));
}

async function bundle(entryPoint: string, file: string): Promise<void> {
  const code = file.replace(/\.cjs$/, ".code.js");
  await buildFile(entryPoint, code, {
    minifySyntax: true,
    minifyWhitespace: true,
    // Optional native parts of packages.
    external: ["*.node", "cpu-features"],
    plugins: [sourcePlaces],
  });
  await buildFile("start.ts", file, {});
}

/** Running programs keep the file that they have opened. */
async function buildFile(entryPoint: string, file: string, options: BuildOptions): Promise<void> {
  const staging = `${file}.${process.pid}`;
  const source = join(REPOSITORY, "lab", entryPoint);
  await build({
    ...options,
    entryPoints: [source],
    outfile: staging,
    bundle: true,
    platform: "node",
    logLevel: "error",
  });
  await rename(staging, file);
}

if (require.main === module) {
  makeBundles().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
