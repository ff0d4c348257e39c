import { join } from "node:path";
import { Analyzer } from "@pulumi/pulumi/provider/experimental/analyzer";
import { generateSchema } from "@pulumi/pulumi/provider/experimental/schema";
import repository from "../../package.json";

/**
 * The schema of the Pulumi package for other languages: Pulumi's own analyzer reads the types and docstrings of `TlsBootstrap`. The provider
 * adds the version.
 */
export function packageSchema(): object {
  const { name, description } = repository;
  const folder = join(__dirname, "..", "package"); // its tsconfig.json has the components only
  const manifest = { ...repository, main: join(__dirname, "..", "..", "components", "index.ts") };
  const { components, typeDefinitions, dependencies } = new Analyzer(
    folder,
    name,
    manifest,
    new Set(["TlsBootstrap"]),
  ).analyze();
  const { version: _, ...schema } = generateSchema(name, "", description, components, typeDefinitions, dependencies);
  return schema;
}
