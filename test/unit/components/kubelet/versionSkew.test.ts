import * as pulumi from "@pulumi/pulumi";
import { skewChecks } from "../../../../components/kubelet/versionSkew";

/** The problems of the versions that a stack sets: `key: 'value' problem`. */
const report = (version: unknown, given: object) =>
  skewChecks({ version, source: "the source" }, given).flatMap(([where, problem, value]) =>
    problem ? [`${where}: '${value}' ${problem}`] : [],
  );

const FOUR_OLDER =
  "is more than 3 minors older than the API servers' 1.37.2 (the source): upgrade the kubelets one minor at a time, to 1.34 or newer";

it.each<[string, string, string | undefined]>([
  ["1.37.2", "1.37.2", undefined],
  ["1.37.9", "1.37.2", undefined],
  ["1.34.0", "1.37.2", undefined],
  ["1.37.2", "1.40.0", undefined],
  ["1.37.0", "1.36.3", "is newer than the API servers' 1.36.3 (the source): upgrade the API servers first"],
  ["1.33.13", "1.37.2", FOUR_OLDER],
])("kubelets of %s with API servers of %s", (kubelets, apiServers, problem) =>
  expect(report(apiServers, { kubernetesVersion: kubelets })).toEqual(
    problem ? [`kubernetesVersion: '${kubelets}' ${problem}`] : [],
  ),
);

it("a version is reported once, where it is set", () =>
  expect(
    report("1.36.3", {
      kubernetesVersion: "1.37.2",
      pools: [
        { workers: [{}, {}, { kubernetesVersion: "1.36.3" }] },
        {
          kubernetesVersion: "1.37.1",
          workers: [{}, { kubernetesVersion: "1.37.0" }, { kubernetesVersion: "1.35.4" }],
        },
        { kubernetesVersion: "1.33.13", workers: [] },
      ],
    }).map((line) => line.split(" is ")[0]),
  ).toEqual([
    "kubernetesVersion: '1.37.2'",
    "pools[1].kubernetesVersion: '1.37.1'",
    "pools[1].workers[1].kubernetesVersion: '1.37.0'",
  ]));

it("API servers that are four minors newer are reported at each key that sets an older version", () =>
  expect(
    report("1.37.2", {
      kubernetesVersion: "1.37.2",
      pools: [{ kubernetesVersion: "1.33.13", workers: [{ kubernetesVersion: "1.34.4" }, {}] }, { workers: [{}] }],
      scaleGroups: [{}, { kubernetesVersion: "1.33.13" }, { kubernetesVersion: "1.34.4" }],
    }),
  ).toEqual([
    `pools[0].kubernetesVersion: '1.33.13' ${FOUR_OLDER}`,
    `scaleGroups[1].kubernetesVersion: '1.33.13' ${FOUR_OLDER}`,
  ]));

it.each<[string, unknown, object]>([
  ["the API servers have no known version", undefined, { kubernetesVersion: "1.37.2" }],
  ["the version of the API servers is known later", pulumi.output("1.36.3"), { kubernetesVersion: "1.37.2" }],
  ["the API servers have an invalid version", "latest", { kubernetesVersion: "1.37.2" }],
  [
    "a version is invalid",
    "1.33.13",
    { kubernetesVersion: "latest", pools: [{ kubernetesVersion: 1.37, workers: 1 }, 2] },
  ],
  ["there are no pools", "1.36.3", { kubernetesVersion: "1.36.3", pools: "none" }],
])("nothing is reported when %s", (_, version, given) => expect(report(version, given)).toEqual([]));
