import { kubernetesPlugin } from "../../../../lab/plugins/kubernetes/kubernetesPlugin";
import type { Plugin } from "../../../pluginClient";
import type { Json } from "../../../protocolValues";
import { ServedPlugin } from "../servedPlugin";

export const kubeconfig = (server: string, token = "t") => ({
  "current-context": "x",
  contexts: [
    { name: "y", context: { cluster: "d", user: "u" } },
    { name: "x", context: { cluster: "c", user: "u", namespace: "mine" } },
  ],
  clusters: [
    { name: "d", cluster: { server: "https://other" } },
    { name: "c", cluster: { server, "certificate-authority-data": "Q0E=" } },
  ],
  users: [{ name: "u", user: { token } }],
});

export let served: ServedPlugin | undefined;
/** Starts the stand-in with this configuration, in the place of an earlier one. */
export async function start(config: Json = {}): Promise<Plugin> {
  await served?.stop();
  served = await ServedPlugin.start(kubernetesPlugin, config);
  return served.plugin;
}
afterEach(async () => {
  await served?.stop();
  served = undefined;
});

export const metadata = { name: "n", namespace: "ns" };
export const secretType = "kubernetes:core/v1:Secret";
