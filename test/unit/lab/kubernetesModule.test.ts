import { readFileSync } from "node:fs";
import { join } from "node:path";
import { labKubernetesVersion } from "../../../lab/builds/kubernetes/binaries";
import {
  BINARIES,
  isKubernetesVersion,
  linkerFlags,
  printedVersion,
  renderGoMod,
} from "../../../lab/builds/kubernetes/module";
import { REPOSITORY } from "../../repository";

const read = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");

const UPSTREAM = `module k8s.io/kubernetes

go 1.24.0

require (
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/apimachinery => ./staging/src/k8s.io/apimachinery
)
`;

test("go.mod replaces Kubernetes' staging modules by their published versions", () => {
  expect(renderGoMod("1.34.4", UPSTREAM))
    .toBe(`// Builds the Kubernetes binaries of the lab. Made by: npm run lab -- kubernetes-module <version>
module tls-bootstrap/lab/kubernetes

go 1.24.0

require k8s.io/kubernetes v1.34.4

replace (
	k8s.io/api => k8s.io/api v0.34.4
	k8s.io/apimachinery => k8s.io/apimachinery v0.34.4
)
`);
});

test.each([
  ["1.34.4", "module x\n\ngo 1.24.0\n"],
  ["1.34.4", UPSTREAM.replace("go 1.24.0\n", "")],
  ["v1.34.4", UPSTREAM],
  ["1.34.4; rm", UPSTREAM],
])("refuses an invalid version or upstream go.mod (%j)", (version, upstream) => {
  expect(() => renderGoMod(version, upstream)).toThrow(RangeError);
});

test("the committed module has the version of the lab's stack settings", async () => {
  const version = await labKubernetesVersion();
  expect(read("stacks/Pulumi.lab.yaml")).toContain(`kubernetesVersion: ${version}\n`);
});

test("tools.go imports every program", () => {
  const imported = [...read("lab/builds/kubernetes/tools.go").matchAll(/^\t_ "k8s\.io\/kubernetes\/cmd\/(.*)"$/gm)];
  expect(imported.map(([, program]) => program)).toEqual([...BINARIES].sort());
});

test("binaries are stamped with their version", () => {
  expect(linkerFlags("1.34.4")).toBe(
    "-s -w" +
      " -X k8s.io/component-base/version.gitVersion=v1.34.4 -X k8s.io/component-base/version.gitMajor=1" +
      " -X k8s.io/component-base/version.gitMinor=34 -X k8s.io/component-base/version.gitCommit=" +
      " -X k8s.io/component-base/version.gitTreeState=clean" +
      " -X k8s.io/client-go/pkg/version.gitVersion=v1.34.4 -X k8s.io/client-go/pkg/version.gitMajor=1" +
      " -X k8s.io/client-go/pkg/version.gitMinor=34 -X k8s.io/client-go/pkg/version.gitCommit=" +
      " -X k8s.io/client-go/pkg/version.gitTreeState=clean",
  );
});

test.each([
  ["Kubernetes v1.34.4\n", "1.34.4"],
  ["v1.34.4\n", "1.34.4"],
  ['{\n  "clientVersion": {\n    "gitVersion": "v1.34.4",\n    "major": "1"\n  }\n}\n', "1.34.4"],
  ['{ "clientVersion": { "gitVersion": "v1.32.4-dispatcher" } }', undefined],
  ["Kubernetes v0.0.0-master+$Format:%H$", undefined],
  ["", undefined],
])("the version in %j is %s", (text, version) => {
  expect(printedVersion(text)).toBe(version);
});

test.each([
  ["1.34.4", true],
  ["1.34", false],
  ["v1.34.4", false],
  ["1.34.4-rc.0", false],
])("%s is a version: %s", (text, valid) => {
  expect(isKubernetesVersion(text)).toBe(valid);
});
