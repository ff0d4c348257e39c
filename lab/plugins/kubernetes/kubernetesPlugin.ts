import { differences } from "../diff";
import type { CheckFailure, Diff, ProviderPlugin } from "../provider";
import { unwrapAllSecrets, UNKNOWN, type Props } from "../propertyValues";
import { readKubeconfig } from "./clusterAccess";
import { ObjectProvider } from "./objectProvider";

/** A kind of an API group. Helm, YAML and Kustomize are programs of their own in the published plugin. */
const isKind = (type: string): boolean =>
  /^kubernetes:[\w.-]+\/v\w+:\w+$/.test(type) && !/^kubernetes:(helm\.sh|yaml|kustomize)\//.test(type);

/** Settings that the plugin heeds, has nothing to do for, or leaves to the engine. */
const settings = [
  "clusterIdentifier",
  "enableConfigMapMutable",
  "kubeconfig",
  "namespace",
  "suppressDeprecationWarnings",
  "suppressHelmHookWarnings",
  "upsertExistingObjects",
  "version",
];

export const kubernetesPlugin: ProviderPlugin = {
  name: "kubernetes",
  types: ["kubernetes:<group>/<version>:<Kind>"],
  configure: (config, host) => {
    const objects = new ObjectProvider(unwrapAllSecrets(config), host);
    return (type) => (isKind(type) ? objects : undefined);
  },
  checkConfig,
  diffConfig,
};

function checkConfig(config: Props): CheckFailure[] {
  const refused = Object.keys(config).filter((name) => config[name] !== null && !settings.includes(name));
  return refused.map((property) => ({ property, reason: "the stand-in plugin does not support this setting" }));
}

/** Another cluster replaces the provider. `clusterIdentifier` alone decides where both configurations have it. */
function diffConfig(oldInputs: Props, newInputs: Props): Diff {
  const [before, after] = [unwrapAllSecrets(oldInputs), unwrapAllSecrets(newInputs)];
  const isIdentified = before.clusterIdentifier && after.clusterIdentifier;
  const decisive = isIdentified ? "clusterIdentifier" : "kubeconfig";
  const [from, to] = [serverOf(before), serverOf(after)];
  const moved = isIdentified || after.kubeconfig === UNKNOWN || (from && to && from !== to);
  const changes = differences(oldInputs, newInputs);
  return { changes: changes.map((change) => ({ ...change, replace: Boolean(moved) && change.path[0] === decisive })) };
}

/** The API server's URL; undefined where it cannot be told. */
function serverOf({ kubeconfig }: Props): string | undefined {
  try {
    return readKubeconfig(kubeconfig as string).server;
  } catch {
    return undefined;
  }
}
