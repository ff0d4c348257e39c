import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { InitFailed } from "../../../pluginClient";
import { secret } from "../../../protocolValues";
import { kubeconfig, metadata, secretType, served, start } from "./standIn";

describe("without a cluster", () => {
  const nowhere = { kubeconfig: JSON.stringify(kubeconfig("https://127.0.0.1:1")) };

  test("a preview succeeds, and an update names the server that it cannot reach", async () => {
    const plugin = await start(nowhere);
    const which = { type: secretType, name: "own" };
    const news = { apiVersion: "v1", kind: "Secret", stringData: { a: "1" } };
    const { inputs } = await plugin.check(which, news);
    expect(inputs).toMatchObject({ apiVersion: "v1", kind: "Secret", metadata: { namespace: "mine" } });
    expect(inputs.metadata.name).toMatch(/^own-[0-9a-f]{8}$/);
    expect(inputs.data).toEqual(secret({ a: "MQ==" }));
    expect((await plugin.check(which, news)).inputs).toEqual(inputs);
    expect((await plugin.create(which, inputs, { preview: true })).outputs).toEqual(inputs);
    await expect(plugin.create(which, inputs)).rejects.toThrow(
      /cannot reach the API server https:\/\/127.0.0.1:1: .*ECONNREFUSED/,
    );
  });

  test.each([
    ["kubernetes:core/v1:SecretList", {}, "list resources cannot be created directly"],
    ["kubernetes:core/v1:SecretPatch", { kind: "Secret" }, "patch resources require the `.metadata.name` field"],
    [secretType, { metadata: { generateName: "x" } }, "`.metadata.generateName` field is not supported"],
    ["kubernetes:helm.sh/v3:Release", {}, "unknown to the stand-in for the kubernetes plugin"],
    ["kubernetes:yaml/v2:ConfigFile", {}, "unknown to the stand-in for the kubernetes plugin"],
  ])("%s %j is refused", async (type, inputs, message) => {
    await expect((await start(nowhere)).check({ type }, inputs)).rejects.toThrow(message);
  });
});

describe("with an API server", () => {
  const type = "kubernetes:apps/v1:Deployment";
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata };
  let api: Server;
  let requests: string[];

  beforeEach(async () => {
    requests = [];
    api = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      const resources = [{ name: "deployments", kind: "Deployment", namespaced: true }];
      const status = { observedGeneration: 0 };
      const object = {
        ...deployment,
        metadata: { ...metadata, generation: 1, uid: "u" },
        spec: { replicas: 1 },
        status,
      };
      response.end(JSON.stringify(request.url === "/apis/apps/v1" ? { resources } : object));
    });
    await new Promise<void>((done) => api.listen(0, "127.0.0.1", done));
  });
  afterEach(() => api.close());
  const config = () => {
    const { port } = api.address() as AddressInfo;
    return { kubeconfig: secret(JSON.stringify(kubeconfig(`http://127.0.0.1:${port}`))) };
  };

  test("cancel ends a wait, and the state gets the object as it is", async () => {
    const plugin = await start(config());
    const making = plugin.create({ type }, deployment).catch((error: unknown) => error);
    while (!served?.engine.status().length) await new Promise((resume) => setTimeout(resume, 10));
    await plugin.cancel();
    const error = (await making) as InitFailed;
    expect(error).toBeInstanceOf(InitFailed);
    expect(error.reasons).toEqual([expect.stringContaining("the operation was cancelled")]);
    expect(error).toMatchObject({ id: "ns/n", outputs: { __inputs: deployment, metadata: { uid: "u" } } });
  });

  test("the kinds of an API group are read once", async () => {
    const plugin = await start(config());
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        plugin.check({ type, name: `n${i}` }, { apiVersion: "apps/v1", kind: "Deployment" }),
      ),
    );
    expect(requests).toEqual(["GET /apis/apps/v1"]);
  });

  test("an existing object can be taken over", async () => {
    const plugin = await start({ ...config(), upsertExistingObjects: "true" });
    await plugin.create({ type }, deployment, { timeout: 0.1 }).catch(() => {});
    expect(requests[1]).toMatch(/^PATCH .*\/deployments\/n\?fieldManager=pulumi-kubernetes-[0-9a-f]{8}&force=false$/);
  });
});
