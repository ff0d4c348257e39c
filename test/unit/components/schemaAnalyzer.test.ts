import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Analyzer } from "@pulumi/pulumi/provider/experimental/analyzer";
import { REPOSITORY } from "../../repository";

/** Pulumi's schema analyzer infers the schema of components from their TypeScript. It makes them available to YAML and other languages. It refuses `HostKey`, which has no arguments. */
const COMPONENTS = [
  "BootstrapToken",
  "ClusterInfo",
  "CsrApprover",
  "JoinPolicy",
  "KubeProxy",
  "KubeProxyIdentity",
  "NodeBootstrapRbac",
  "ScaleGroup",
  "ServingCa",
  "ServingPolicy",
  "TlsBootstrap",
  "Worker",
  "WorkerPool",
];

jest.setTimeout(120_000); // it type checks the whole program

it("infers the public components and their arguments", () => {
  const packageJson = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as object;
  const analyzer = new Analyzer(
    REPOSITORY,
    "tls-bootstrap",
    { ...packageJson, main: "components/index.ts" },
    new Set(COMPONENTS),
  );
  const { components, typeDefinitions } = analyzer.analyze();
  expect(Object.keys(components).sort()).toEqual(COMPONENTS);
  expect(components.TlsBootstrap.inputs.pools).toMatchObject({
    type: "array",
    items: { $ref: "#/types/tls-bootstrap:index:PoolSpec" },
  });
  expect(typeDefinitions.WorkerSpec.properties!.address).not.toHaveProperty("plain");
  expect(typeDefinitions.RuntimeType.enum).toHaveLength(3);
});
