import { readFileSync } from "node:fs";
import type { Made, Plugin, Which } from "../pluginClient";
import { type Json, secret } from "../protocolValues";
import { describePlugin, lab, start } from "./pluginContract";

/** The Kubernetes plugin on the lab's API server, with a namespace for its objects. */
export const NAMESPACE = "plugins";

export let plugin: Plugin;

export const config = async (): Promise<Json> => ({
  kubeconfig: secret(readFileSync((await lab.facts()).kubeconfig, "utf8")),
});

export function describeKubernetes(tests: () => void): void {
  describePlugin("kubernetes", () => {
    beforeAll(async () => {
      await lab.kubectl("create", "namespace", NAMESPACE);
      plugin = await start("kubernetes", await config());
    });
    afterAll(() => lab.kubectl("delete", "namespace", NAMESPACE, "--wait"));
    tests();
  });
}

export const configMap = { type: "kubernetes:core/v1:ConfigMap" };
export const patch = { type: "kubernetes:core/v1:ConfigMapPatch" };
export const secretObject = { type: "kubernetes:core/v1:Secret" };
export const account = { type: "kubernetes:core/v1:ServiceAccount" };
export const deployment = { type: "kubernetes:apps/v1:Deployment" };

/** Inputs with what the SDK adds to a program's inputs. */
export const of = ({ type }: Which, inputs: Json): Json => {
  const [, groupVersion, kind] = type.split(":");
  return { apiVersion: groupVersion.replace(/^core\//, ""), kind: kind.replace(/Patch$/, ""), ...inputs };
};

export const check = (which: Which, inputs: Json, olds?: Json) => plugin.check(which, of(which, inputs), olds);
export const make = (which: Which, inputs: Json, options = {}, by = plugin): Promise<Made> =>
  by.make(which, of(which, inputs), options);

export const metadata = (name: string, more: Json = {}): Json => ({ name, namespace: NAMESPACE, ...more });
export const live = (kind: string, name: string): Promise<any> => lab.get(kind, name, "-n", NAMESPACE);
export const exists = async (kind: string, name: string): Promise<boolean> =>
  (await lab.run("kubectl", "get", kind, name, "-n", NAMESPACE)).status === 0;
