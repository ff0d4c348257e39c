import { writeFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { readClusterAccess } from "../../../settings/readClusterAccess";
import { CA } from "../fixtures";
import { A, fleet, settings, stringify, useEmptyProject } from "./fleetSettings";

/** What the program learns from a platform stack. */

useEmptyProject();

const PLATFORM = "org/platform/prod";
const OUTPUTS = { server: "https://10.0.0.1:6443", ca: CA, kubeconfig: "K" };

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
  await expect(read({ kubeletClientCa: "no CA" })).rejects.toThrow(`'${PLATFORM}' has no usable client CA: 1 problem`);
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

it("refuses an output that is no version", () =>
  expect(read({ kubernetesVersion: "v1.36.3" })).rejects.toThrow(
    `Platform stack '${PLATFORM}' has no usable version of its API servers: 1 problem\n  output kubernetesVersion: 'v1.36.3' is not a version such as 1.37.2`,
  ));

it("refuses kubelets that do not fit the API servers, at their config keys and lines", async () => {
  writeFileSync(A, stringify(fleet(2).map((worker, i) => ({ ...worker, kubernetesVersion: `1.3${i + 6}.1` }))));
  const source = `(output kubernetesVersion of ${PLATFORM})`;
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
