/** Command line of `npm run package`: makes the npm package of the components. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command } from "commander";
import repository from "../../package.json";

const REPOSITORY = resolve(__dirname, "..", "..");

/** Packages that the components import. The package takes their versions as the repository pins them. */
const DEPENDENCIES = [
  "@peculiar/x509",
  "fflate",
  "leven",
  "reflect-metadata",
  "smol-toml",
  "tar",
  "yaml",
  "zod",
] as const;

/**
 * Packages that a program shares with the components, because two copies of the SDK do not work together. Any newer version with the same
 * major version will do. `@pulumi/command` 4.5.0 is an old version that was published by mistake, so the range excludes it.
 */
const SHARED = ["@pulumi/command", "@pulumi/kubernetes", "@pulumi/pulumi", "@pulumi/random", "@pulumi/tls"] as const;

const versions = <N extends keyof typeof repository.dependencies>(names: readonly N[], range = "") =>
  Object.fromEntries(names.map((name) => [name, `${range}${repository.dependencies[name]}`]));

/** The manifest of the package. Programs import its root, and nothing below. */
const manifest = {
  name: repository.name,
  version: repository.version,
  description: repository.description,
  license: repository.license,
  repository: repository.repository,
  engines: repository.engines,
  main: "components/index.js",
  types: "components/index.d.ts",
  exports: { ".": { types: "./components/index.d.ts", default: "./components/index.js" } },
  dependencies: versions(DEPENDENCIES),
  peerDependencies: versions(SHARED, "^"),
};

/** Makes `tls-bootstrap-<version>.tgz` in a folder and returns its path. */
async function makePackage(destination: string): Promise<string> {
  const { execa } = await import("execa"); // an ES module
  const folder = await mkdtemp(join(tmpdir(), "tls-bootstrap-package-"));
  try {
    await execa("npx", ["tsc", "--project", __dirname, "--outDir", folder], { cwd: REPOSITORY, stdio: "inherit" });
    for (const path of ["LICENSE", "components/worker/scripts", "provider/PulumiPlugin.yaml", "provider/index.js"])
      await cp(join(REPOSITORY, path), join(folder, path), { recursive: true });
    await cp(join(__dirname, "README.md"), join(folder, "README.md"));
    await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    const { stdout } = await execa("npm", ["pack", folder, "--pack-destination", destination, "--json"]);
    const [{ filename }] = JSON.parse(stdout) as { filename: string }[];
    return join(destination, filename);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

new Command("npm run package --")
  .description("Makes the npm package of the components.")
  .option("--output <folder>", "folder for the package", ".")
  .action(async ({ output }: { output: string }) => console.log(await makePackage(resolve(output))))
  .parseAsync()
  .catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
