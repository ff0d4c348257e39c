/**
 * The contract of the Kubernetes plugin: refused requests, workloads that never become ready, and a cluster that does not answer.
 *
 * @independent
 */
import { readFileSync } from "node:fs";
import { InitFailed } from "../pluginClient";
import { type Json, secret } from "../protocolValues";
import {
  account,
  check,
  configMap,
  deployment,
  describeKubernetes,
  exists,
  live,
  make,
  metadata,
  NAMESPACE,
  of,
  plugin,
} from "./kubernetesContract";
import { lab, start } from "./pluginContract";

describeKubernetes(() => {
  test("a create that the server refuses leaves nothing", async () => {
    const news = { metadata: metadata("bad", { labels: { a: "not a label!" } }), data: {} };
    await expect(make(configMap, news)).rejects.toThrow(/was not successfully created.*Invalid value/s);
    expect(await exists("configmap", "bad")).toBe(false);
  });

  test("an update that the server refuses is a partial failure, and the next update repairs it", async () => {
    const news = { metadata: metadata("refused", { labels: { a: "1" } }), automountServiceAccountToken: false };
    const made = await make(account, news);
    const bad = { ...made.inputs, metadata: metadata("refused", { labels: { a: "not a label!" } }) };
    const error: unknown = await plugin.update(account, made, bad).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InitFailed);
    const failed = error as InitFailed;
    expect(failed.id).toBe(made.id);
    expect(failed.reasons.join("\n")).toMatch(/Invalid value/);
    expect(failed.outputs.metadata.labels).toEqual({ a: "1" });
    const kept = { id: made.id, inputs: bad, outputs: failed.outputs };
    const good = { ...made.inputs, metadata: metadata("refused", { labels: { a: "2" } }) };
    expect((await plugin.diff(account, kept, good)).detailed).toEqual({ "metadata.labels.a": "update" });
    const repaired = await plugin.update(account, kept, good);
    expect((await live("serviceaccount", "refused")).metadata.labels).toEqual({ a: "2" });
    await plugin.delete(account, repaired);
  });

  test("a workload that never becomes ready is a partial failure of create, update and refresh", async () => {
    const labels = { app: "never" };
    const news = (image: string): Json => ({
      metadata: metadata("never", { annotations: { "pulumi.com/timeoutSeconds": "3" } }),
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { nodeSelector: { no: "such" }, containers: [{ name: "c", image }] },
        },
      },
    });
    const { inputs } = await check(deployment, news("a:1"));
    const failed = (await plugin.create(deployment, inputs).catch((reason: unknown) => reason)) as InitFailed;
    expect(failed).toBeInstanceOf(InitFailed);
    expect(failed.id).toBe(`${NAMESPACE}/never`);
    expect(failed.reasons.length).toBeGreaterThan(0);
    expect(failed.outputs).toMatchObject({ kind: "Deployment", spec: { replicas: 1 } });
    const kept = { id: failed.id, inputs, outputs: failed.outputs };
    const other = (await check(deployment, news("b:1"), inputs)).inputs;
    const update: unknown = await plugin.update(deployment, kept, other).catch((reason: unknown) => reason);
    expect(update).toBeInstanceOf(InitFailed);
    expect((update as InitFailed).outputs.spec.template.spec.containers[0].image).toBe("b:1");
    const refresh: unknown = await plugin.read(deployment, kept).catch((reason: unknown) => reason);
    expect(refresh).toBeInstanceOf(InitFailed);
    expect((refresh as InitFailed).id).toBe(failed.id);
    await plugin.delete(deployment, kept);
    expect(await exists("deployment", "never")).toBe(false);
  });

  test("customTimeouts limit the wait, and skipAwait skips it", async () => {
    const labels = { app: "slow" };
    const spec = {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { nodeSelector: { no: "such" }, containers: [{ name: "c", image: "a" }] },
      },
    };
    const begin = Date.now();
    const making = make(deployment, { metadata: metadata("slow"), spec }, { timeout: 2 });
    await expect(making).rejects.toBeInstanceOf(InitFailed);
    expect(Date.now() - begin).toBeLessThan(60_000);
    const skip = { "pulumi.com/skipAwait": "true" };
    const made = await make(deployment, { metadata: metadata("skipped", { annotations: skip }), spec });
    await plugin.delete(deployment, made);
    await lab.kubectl("delete", "deployment", "slow", "-n", NAMESPACE);
  });

  test("an unreachable cluster is reported without a wait", async () => {
    const kubeconfig = readFileSync((await lab.facts()).kubeconfig, "utf8").replace(
      /server: .*/,
      "server: https://127.0.0.1:1",
    );
    const lost = await start("kubernetes", { kubeconfig: secret(kubeconfig) });
    const { inputs } = await lost.check(configMap, of(configMap, { metadata: metadata("lost"), data: { a: "1" } }));
    expect((await lost.create(configMap, inputs, { preview: true })).outputs.data).toEqual({ a: "1" });
    await expect(lost.create(configMap, inputs)).rejects.toThrow(/unreachable|cannot reach/);
  });
});
