import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isBuiltin } from "node:module";
import ts from "typescript";
import { REPOSITORY } from "../repository";

/** The packages that a file and its own imports need at run time. */
function importedPackages(entry: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file) || file.endsWith(".json")) return;
    seen.add(file);
    const { outputText } = ts.transpileModule(readFileSync(file, "utf8"), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
      const path = resolve(dirname(file), fileName);
      if (fileName.startsWith("."))
        visit([`${path}.ts`, join(path, "index.ts"), path].find((candidate) => existsSync(candidate))!);
      else if (!isBuiltin(fileName)) packages.add(/^(@[^/]+\/)?[^/]+/.exec(fileName)![0]);
    }
  };
  visit(join(REPOSITORY, entry));
  return packages;
}

it("`npm ci --omit=dev` installs every package that the program imports, and the compilers that Pulumi needs", () => {
  const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const needed = [...importedPackages("index.ts"), "typescript", "ts-node", "@swc/core"];
  expect(needed.length).toBeGreaterThan(8);
  expect(needed.filter((name) => !(name in dependencies))).toEqual([]);
});
