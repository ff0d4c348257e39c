import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import releases from "../../../components/kubelet/releases.json";
import config from "../../../examples/renovate/renovate.json";
import { blocksOf } from "../../e2e/pageBlocks";
import { REPOSITORY } from "../../repository";

/** What Renovate finds with examples/renovate/renovate.json. Renovate's own command has shown the same for these files. */
const read = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");

/** The versions that the patterns find in a text, as `name version`. */
const found = (text: string): string[] =>
  config.customManagers.flatMap(({ matchStrings, depNameTemplate }) =>
    matchStrings.flatMap((pattern) =>
      [...text.matchAll(new RegExp(pattern, "g"))].map(({ groups }) => {
        const { depName = depNameTemplate, currentValue, currentDigest } = groups!;
        return [depName, currentValue, ...(currentDigest ? [currentDigest] : [])].join(" ");
      }),
    ),
  );

it("finds the version of each sample stack", () => {
  const folder = "stacks/examples";
  const files = readdirSync(join(REPOSITORY, folder));
  expect(Object.fromEntries(files.map((file) => [file, found(read(join(folder, file)))]))).toEqual({
    "Pulumi.dev.yaml": ["kubernetes/kubernetes 1.37.2"],
    "Pulumi.prod.yaml": ["kubernetes/kubernetes 1.36.3"],
    "Pulumi.staging.yaml": ["kubernetes/kubernetes 1.37.2"],
    "Pulumi.yaml": [],
  });
  const [pattern] = config.customManagers[0].managerFilePatterns;
  for (const file of files) expect(join(folder, file)).toMatch(new RegExp(pattern.slice(1, -1)));
});

it("finds the releases of a runtime as upgrade.md shows them, in other styles too", () => {
  const expected = ["containerd 2.3.4", "runc 1.4.3", "cniPlugins 1.9.1"];
  const block = blocksOf(read("docs/upgrade.md")).find(({ text }) => text.includes("cniPlugins"))!;
  expect(found(block.text)).toEqual(expected);
  expect(found("runtime:\n  containerd:\n    version: '2.3.4'\n  runc: {version: 1.4.3}\n")).toEqual(
    expected.slice(0, 2),
  );
  expect(found("runtime: { type: tarball, cniPlugins: { version: 1.9.1 } }")).toEqual(expected.slice(2));
});

it("finds images with tags and digests", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  expect(
    found(`servingCertificates:
  image: ghcr.io/postfinance/kubelet-csr-approver:v1.2.14@${digest}
kubeProxy: { mode: daemonset, image: "registry.example.com:5000/kube-proxy:v1.37.2" }
containerd: { sandboxImage: registry.k8s.io/pause:3.10.1 }`),
  ).toEqual([
    `ghcr.io/postfinance/kubelet-csr-approver v1.2.14 ${digest}`,
    "registry.example.com:5000/kube-proxy v1.37.2",
    "registry.k8s.io/pause 3.10.1",
  ]);
});

it("leaves the versions of pools, of workers and of the API servers alone", () =>
  expect(
    found(`config:
  tls-bootstrap:cluster:
    kubernetesVersion: 1.37.2
  tls-bootstrap:pools:
    - name: worker
      kubernetesVersion: 1.37.2
      workers: [{ name: worker-1, kubernetesVersion: 1.36.3 }]
`),
  ).toEqual([]));

it("offers the minor versions that this module knows, and no others", () => {
  const [{ allowedVersions }] = config.packageRules;
  const allowed = new RegExp(allowedVersions!.slice(1, -1));
  for (const release of releases) expect([release, allowed.test(`v${release}`)]).toEqual([release, true]);
  const minorOf = (release: string) => Number(release.split(".")[1]);
  for (const minor of [minorOf(releases[0]) - 1, minorOf(releases.at(-1)!) + 1])
    expect(allowed.test(`v1.${minor}.0`)).toBe(false);
});
