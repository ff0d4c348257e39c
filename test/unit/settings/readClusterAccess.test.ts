import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { renderKubeconfig } from "../../../components/cluster/kubeconfig";
import { createAuthority } from "../../../lab/control-plane/certificates";
import { OUTPUT_NAMES } from "../../../settings/platformOutputs";
import { readClusterAccess } from "../../../settings/readClusterAccess";
import { CA, SSH_KEY } from "../fixtures";
import { REPOSITORY } from "../../repository";
import { A, fleet, settings, stringify, useEmptyProject } from "./fleetSettings";
import { KUBECONFIG } from "./goodSettings";

/** What the program learns from a platform stack. */

useEmptyProject();

const PLATFORM = "org/platform/prod";
const OUTPUTS = { server: "https://10.0.0.1:6443", ca: CA, kubeconfig: KUBECONFIG };

/** Reads the access from a platform stack with more outputs. */
async function read(outputs: object, pools: unknown = [{ name: "a", workers: fleet(2) }], change: object = {}) {
  await pulumi.runtime.setMocks({
    call: () => ({}),
    newResource: ({ name }) => ({
      id: name,
      state: { name, outputs: { ...OUTPUTS, ...outputs }, secretOutputNames: ["kubeconfig"] },
    }),
  });
  return readClusterAccess(settings(pools, { cluster: undefined, platform: PLATFORM, ...change }));
}

it("has server and CA, and the version of the API servers where the stack exports it", async () => {
  const { server, ca } = OUTPUTS;
  expect(await read({})).toMatchObject({ server, ca, kubernetesVersion: undefined });
  expect(await read({ kubernetesVersion: "1.36.3" })).toMatchObject({ server, ca, kubernetesVersion: "1.36.3" });
});

it("has the version that the settings name", async () => {
  const cluster = { server: "https://10.0.0.1:6443", ca: CA, token: "t", kubernetesVersion: "1.36.3" };
  const access = await readClusterAccess(settings([{ name: "a", workers: fleet(1) }], { cluster }));
  expect(access).toMatchObject({ kubernetesVersion: "1.36.3" });
});

it("has the CA of the API servers' client certificate, where settings or the platform stack name it", async () => {
  expect(await read({ kubeletClientCa: CA })).toMatchObject({ clientCa: CA });
  const cluster = { server: "https://10.0.0.1:6443", ca: CA, token: "t" };
  const [a] = [{ name: "a", workers: fleet(1) }];
  expect(await readClusterAccess(settings([a], { cluster: { ...cluster, clientCa: CA } }))).toMatchObject({
    clientCa: CA,
  });
  writeFileSync("client-ca.crt", CA);
  expect(
    await readClusterAccess(settings([a], { cluster: { ...cluster, clientCaFile: "client-ca.crt" } })),
  ).toMatchObject({ clientCa: CA });
});

const TITLE = `Platform stack '${PLATFORM}' does not export what this module reads (examples/platform-outputs/README.md)`;

describe("refuses a platform stack", () => {
  it.each<[string, object, string[]]>([
    [
      "that exports too little",
      { server: undefined, ca: undefined, kubeconfig: undefined },
      [
        "output server: is missing: export the URL of the API server, such as https://api.example.com:6443",
        "output ca: is missing: export the PEM certificate of the CA that signed the API server's",
        "output kubeconfig: is missing: export the kubeconfig of an administrator, as a secret",
      ],
    ],
    [
      "whose outputs have other types",
      { server: 6443, ca: [CA], kubeconfig: { kind: "Config" }, kubernetesVersion: 1.37, kubeletServingCa: CA },
      [
        "output server: Invalid input: expected string, received number",
        "output ca: Invalid input: expected string, received array",
        "output kubeconfig: Invalid input: expected string, received object",
        "output kubernetesVersion: Invalid input: expected string, received number",
        "output kubeletServingCa: Invalid input: expected object, received string",
      ],
    ],
    [
      "whose outputs cannot be used, whether it may or must export them",
      {
        server: "http://10.0.0.1:6443",
        ca: "ca.crt",
        kubeconfig: "kind: Config",
        kubernetesVersion: "v1.36.3",
        kubeletClientCa: "client-ca.crt",
        kubeletServingCa: { certificate: CA },
      },
      [
        "output server: 'http://10.0.0.1:6443' must begin with https://, because workers send a token to it",
        "output ca: holds no PEM certificate (-----BEGIN CERTIFICATE-----)",
        "output kubeconfig: has no current context",
        "output kubernetesVersion: 'v1.36.3' is not a version such as 1.37.2 (no leading 'v')",
        "output kubeletClientCa: holds no PEM certificate (-----BEGIN CERTIFICATE-----)",
        "output kubeletServingCa.key: is required",
      ],
    ],
    [
      "whose CA for kubelets has the key of another",
      { kubeletServingCa: { certificate: CA, key: SSH_KEY } },
      ["output kubeletServingCa.key: is not the key of 'certificate'"],
    ],
    [
      "with a newer format, whatever its other outputs are",
      { formatVersion: 2, server: undefined },
      ["output formatVersion: is 2; this module reads format 1: upgrade tls-bootstrap, or export format 1"],
    ],
    ["with a format that is no number", { formatVersion: "1" }, ["output formatVersion: must be the number 1"]],
  ])("%s", async (_, outputs, problems) => {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const lines = [`${TITLE}: ${count}`, ...problems.map((problem) => `  ${problem}`)];
    await expect(read(outputs)).rejects.toThrow(new Error(lines.join("\n")));
  });

  it("with a page that describes each output", () => {
    const page = readFileSync(join(REPOSITORY, "examples/platform-outputs/README.md"), "utf8");
    const rows = [...page.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    expect(rows.sort()).toEqual([...OUTPUT_NAMES, "workers"].sort());
  });
});

it.each([{}, { formatVersion: 1 }])("reads the format of %j", async (outputs) => {
  expect(await read(outputs)).toMatchObject({ server: OUTPUTS.server, ca: CA });
});

describe("refuses kubelets that do not fit the API servers of the platform stack", () => {
  const source = `(output kubernetesVersion of ${PLATFORM})`;

  it("at their config keys and lines", async () => {
    writeFileSync(A, stringify(fleet(2).map((worker, i) => ({ ...worker, kubernetesVersion: `1.3${i + 6}.1` }))));
    await expect(
      read({ kubernetesVersion: "1.36.3" }, [{ name: "a", workersFile: A }], { kubernetesVersion: "1.37.2" }),
    ).rejects.toThrow(
      [
        "The configuration of this stack cannot be used: 2 problems",
        `  tls-bootstrap:kubernetesVersion: '1.37.2' is newer than the API servers' 1.36.3 ${source}: upgrade the API servers first`,
        `  ${A}:8: [1].kubernetesVersion: '1.37.1' is newer than the API servers' 1.36.3 ${source}: upgrade the API servers first`,
      ].join("\n"),
    );
  });

  it("that were upgraded four minors past a pool, a worker and a scale group", async () => {
    const [one, two] = fleet(2);
    const pools = [
      { name: "a", kubernetesVersion: "1.33.13", workers: [one] },
      { name: "b", workers: [{ ...two, kubernetesVersion: "1.33.13" }] },
    ];
    const scaleGroups = [{ name: "burst", namePrefix: "burst-", userData: {}, kubernetesVersion: "1.33.13" }];
    const advice = "upgrade the kubelets one minor at a time, to 1.34 or newer";
    const places = [
      "pools[0].kubernetesVersion",
      "pools[1].workers[0].kubernetesVersion",
      "scaleGroups[0].kubernetesVersion",
    ];
    const change = { kubernetesVersion: "1.37.2", scaleGroups, runtime: { type: "package" } };
    await expect(read({ kubernetesVersion: "1.37.2" }, pools, change)).rejects.toThrow(
      new Error(
        [
          "The configuration of this stack cannot be used: 3 problems",
          ...places.map(
            (place) =>
              `  tls-bootstrap:${place}: '1.33.13' is more than 3 minors older than the API servers' 1.37.2 ${source}: ${advice}`,
          ),
        ].join("\n"),
      ),
    );
  });
});

describe("the CA of the workers, where Pulumi reaches the same server with another", () => {
  const SERVER = "https://10.0.0.1:6443";
  let other: string;

  beforeAll(async () => {
    other = (await createAuthority("another-ca", new Date())).certificate;
  });

  /** Reads the access of settings with a CA for the workers, and another for Pulumi. */
  const readWith = (ca: string, trusted: string, server = SERVER) => {
    const kubeconfig = renderKubeconfig({ server: SERVER, ca: trusted }, "admin", { token: "t" });
    return readClusterAccess(settings([{ name: "a", workers: fleet(1) }], { cluster: { kubeconfig, server, ca } }));
  };
  const refusal = (where: string) =>
    [
      "The CA of the cluster cannot be used: 1 problem",
      `  ${where}: has no certificate in common with the kubeconfig's CA for ${SERVER}: kubelets would refuse that server. Keep the CA of its certificate, and add a new one beside it`,
    ].join("\n");

  it("is refused when the two have nothing in common", async () => {
    await expect(readWith(other, CA)).rejects.toThrow(refusal("cluster.ca"));
    await expect(read({ ca: other })).rejects.toThrow(refusal(`output ca of ${PLATFORM}`));
  });

  it.each<[string, () => [ca: string, trusted: string, server?: string]]>([
    ["the new CA is beside the old one", () => [CA + other, CA]],
    ["the old CA goes, and Pulumi trusts both", () => [other, CA + other]],
    ["the workers use another URL", () => [other, CA, "https://api.internal:6443"]],
  ])("is accepted when %s", async (_, given) => {
    expect(await readWith(...given())).toMatchObject({ ca: given()[0] });
  });
});
